// Package failpoint marks the places where a crash, a full disk or the time of day matters, so that crash tests can kill
// the process exactly there, refuse a write, or set the clock.
//
// In an ordinary build it does nothing and costs nothing. A program built with the tag failpoint obeys
// variables of its environment:
//
//	PORTICO_FAILPOINT_LOG=FILE   append the name of every point that is reached to FILE, one a line
//	PORTICO_FAILPOINT=NAME:N     on reaching NAME for the N-th time (from 1), die by SIGKILL
//	PORTICO_FAILPOINT=@FILE      the same as the first line of FILE says, which may come, change and go at any time;
//	                             counting starts anew with each change; who dies renames it to FILE.hit
//
// Each process counts for itself; of several that obey one file, one dies. The log is written before the process dies
// and with one write a line, so that several processes may share a file and the point that killed one is its last line.
//
// Three more change the world that the program sees: its time of day, as Now tells it, its disk, and what
// its gateway does.
//
//	PORTICO_FAILPOINT_CLOCK=FILE add the duration in FILE, which may come, change and go at any time
//	PORTICO_FAILPOINT_FULL=FILE  refuse writes that begin with Full while FILE is there: the disk is full
//	PORTICO_FAILPOINT_REQUEST=FILE fail the requests of callers while FILE is there
//
// A crash test builds the program with the tag, runs its scenario once with the log to learn which points exist and
// how often each is reached, then runs the scenario once for each of them: started with PORTICO_FAILPOINT it dies
// there, started again without it must carry on; every answer that the test got before the crash must still hold.
// Uniting the logs of all runs gives the histogram of points that were hit.
//
// Names are lower case with dots, from the large to the small: "store.commit.before".
package failpoint
