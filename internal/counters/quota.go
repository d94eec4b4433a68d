package counters

import "time"

// A Quota allows Calls and Bytes within each of the periods that follow each other from Start on.
type Quota struct {
	Name   Name
	Of     string // whose calls are counted
	Calls  int64  // 0: no limit
	Bytes  int64  // 0: no limit
	Start  time.Time
	Period time.Duration // whole seconds; 0: the quota never renews
}

// A Verdict says what became of a call under quotas.
type Verdict struct {
	Allowed bool
	Quota   int           // which of the quotas refused
	Bytes   bool          // it was for its bytes, not its calls
	Renews  time.Duration // when refused: until the next period; 0: never
}

// Spend counts a call against all of the quotas, or against none if one of them is used up. Bytes are counted by
// SpendBytes when they are known; until then a call costs none.
func (t *Table) Spend(quotas []Quota) (Verdict, error) {
	defer t.alive()
	for i := range quotas {
		if v := t.left(&quotas[i]); !v.Allowed {
			v.Quota = i
			return v, nil
		}
	}
	for i := range quotas {
		c, limited := t.calls(&quotas[i])
		if !limited {
			continue
		}
		ok, renews, err := c.spend(1)
		if err == nil && ok {
			continue
		}
		for j := range quotas[:i] { // a call that is refused counts nowhere
			if c, limited := t.calls(&quotas[j]); limited {
				c.giveBack()
			}
		}
		return Verdict{Quota: i, Renews: renews}, err
	}
	return Verdict{Allowed: true}, nil
}

// left looks whether a quota has something left, and counts nothing.
func (t *Table) left(q *Quota) Verdict {
	if c, limited := t.calls(q); limited {
		if full, renews := c.full(); full {
			return Verdict{Renews: renews}
		}
	}
	if c, limited := t.bytes(q); limited {
		if full, renews := c.full(); full {
			return Verdict{Renews: renews, Bytes: true}
		}
	}
	return Verdict{Allowed: true}
}

// SpendBytes counts the bytes of a call that Spend has allowed, also those above the limit.
func (t *Table) SpendBytes(quotas []Quota, n int64) error {
	defer t.alive()
	for i := range quotas {
		c, limited := t.bytes(&quotas[i])
		if !limited || n <= 0 {
			continue
		}
		units := (n + 1<<c.shift - 1) >> c.shift
		c.limit = longest // whoever was allowed pays
		if _, _, err := c.spend(units); err != nil {
			return err
		}
	}
	return nil
}

// A tally is one counter of a quota. Its line is one word: the end of the period that it counts in, in seconds since
// leaseEpoch, and the count.
type tally struct {
	table *Table
	quota *Quota
	at    place
	shift int   // of what is counted: units of 1<<shift
	limit int64 // in units
}

const (
	// From never on an end is no time. A quota that never renews has such a one, unlike that of any other key whose line
	// it may have got.
	never     = 1 << 31
	neverKept = 400 * 24 * 3600   // seconds for which a quota that never renews is kept without a call
	maxPeriod = 50 * 365 * 86_400 // seconds; what renews more seldom never does
	longest   = 1<<32 - 1         // of a count
)

// calls is what counts the calls of a quota.
func (t *Table) calls(q *Quota) (tally, bool) {
	return tally{table: t, quota: q, at: t.quotas.place(t.key(q.Name, q.Of), 0), limit: q.Calls}, q.Calls > 0
}

// bytes is what counts the bytes: one by one up to 2 GB, and above that in larger units, so that the limit stays below
// 2^31. What is lost by rounding is one part in 2^30 of the quota for each call at most.
func (t *Table) bytes(q *Quota) (tally, bool) {
	shift := 0
	for q.Bytes>>shift >= never {
		shift++
	}
	// Another unit has another line.
	at := t.quotas.place(t.key(q.Name, q.Of), 1+shift)
	return tally{table: t, quota: q, at: at, shift: shift, limit: q.Bytes >> shift}, q.Bytes > 0
}

// period is where a tally stands: the end of the period at hand, and until when the count must be kept.
type period struct {
	end    uint64 // as it stands in the word
	keep   int64  // second since 1970
	renews time.Duration
}

func (c *tally) period(now int64) period {
	length := int64(c.quota.Period / time.Second)
	if length <= 0 || length > maxPeriod {
		return period{end: never | c.at.fp&(never-1), keep: now + neverKept}
	}
	into := (now - c.quota.Start.Unix()) % length
	if into < 0 {
		into += length
	}
	left := length - into
	return period{
		end:  uint64(max(1, now+left-leaseEpoch)) & (never - 1), //nolint:gosec // not negative
		keep: now + left, renews: time.Duration(left) * time.Second,
	}
}

func (c *tally) now() period { return c.period(c.table.clock.now().wall) }

// counted is what a word counts in a period.
func (p period) counted(word uint64) int64 {
	if word>>32 != p.end {
		return 0
	}
	return int64(word & (1<<32 - 1)) //nolint:gosec // 32 bits
}

// full reports that the limit is reached, and counts nothing.
func (c *tally) full() (bool, time.Duration) {
	p := c.now()
	line := c.table.quotas.peek(c.at)
	return line != nil && p.counted(line[0].Load()) >= c.limit, p.renews
}

// spend counts n units if the limit is not reached yet.
func (c *tally) spend(n int64) (ok bool, renews time.Duration, err error) {
	for {
		now := c.table.clock.now().wall
		p := c.period(now)
		line, err := c.table.quotas.lease(c.at, now, p.keep)
		if err != nil {
			return false, 0, err
		}
		w := line[0].Load()
		// A word of another period is replaced only if this one has not ended after it was read: it might be of the next
		// one, which somebody has begun who read the clock later.
		if w>>32 != p.end && c.now().end != p.end {
			continue
		}
		sum := p.counted(w)
		if sum >= c.limit {
			return false, p.renews, nil
		}
		if line[0].CompareAndSwap(w, p.end<<32|uint64(min(sum+n, longest))) { //nolint:gosec // not negative
			return true, 0, nil
		}
	}
}

// giveBack takes back one unit, if its period has not ended.
func (c *tally) giveBack() {
	line := c.table.quotas.peek(c.at)
	for line != nil {
		w := line[0].Load()
		if c.now().counted(w) == 0 || line[0].CompareAndSwap(w, w-1) {
			return
		}
	}
}
