package counters

import (
	"math/bits"
	"sync/atomic"
)

// A region is a hash table of lines. A key has a home bucket; its line is there or in the next one.
//
// A bucket begins with the word of its insertion and the tags of its lines. A tag is the fingerprint of a key and the
// end of its lease; zero is a line that nobody had yet. Who counts with a line first makes sure that its lease is longer
// than what is counted will matter. So a line whose lease has ended holds nothing of interest, and somebody who was
// stopped for long before writing to it writes what is out of date already: lines change hands without being emptied.
//
// A key must not get two lines. That is what the insertion word is for: it says which line a key gets and stands until
// the tag is written, by whoever comes by. There is one insertion into a home bucket at a time, and its number grows, so
// nobody takes a line for a key without having seen the outcome of every insertion before.
type region struct {
	shape
	words   []atomic.Uint64
	buckets int
}

// shape is how large lines are.
type shape struct{ width int } // words of a line

var (
	rateShape  = shape{8}
	quotaShape = shape{1}
)

const (
	ways     = 31       // lines of a bucket
	tagWords = 1 + ways // the insertion and the tags

	leaseBits  = 26
	leaseUnit  = 64        // seconds
	leaseEpoch = 946684800 // 2000-01-01: leases end by 2136
	leaseMask  = 1<<leaseBits - 1
	fpMask     = 1<<(64-leaseBits) - 1
)

// stride is the words of a bucket: whole cache lines.
func (s shape) stride() int { return (tagWords + ways*s.width + 7) &^ 7 }

// place is where a key belongs: its home bucket and its fingerprint.
type place struct {
	home int
	fp   uint64 // not zero
}

// place finds the place of the i-th line of a key.
func (r *region) place(k key, i int) place {
	h := mix(k.a + uint64(i)*0x9e3779b97f4a7c15) //nolint:gosec // small
	home, _ := bits.Mul64(h, uint64(r.buckets))  //nolint:gosec // small
	return place{int(home), max(1, mix(k.b+h)&fpMask)}
}

// mix is the finalizer of splitmix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// A tag is a fingerprint and the number of the lease unit in which its lease ends.
func makeTag(fp, end uint64) uint64 { return fp<<leaseBits | end }

func unitOf(wall int64) uint64 {
	return uint64(max(0, wall-leaseEpoch)/leaseUnit) & leaseMask //nolint:gosec // not negative
}

// free reports that a tag's lease ended before the unit.
func free(tag, unit uint64) bool { return tag == 0 || tag&leaseMask < unit }

// bucket is the index of the bucket that has the i-th candidate of a home: its own lines, then those of the next.
func (r *region) bucket(home, i int) (base, way int) {
	if i >= ways {
		home, i = (home+1)%r.buckets, i-ways
	}
	return home * r.stride(), i
}

func (r *region) insertion(home int) *atomic.Uint64 { return &r.words[home*r.stride()] }

func (r *region) tag(home, i int) *atomic.Uint64 {
	base, way := r.bucket(home, i)
	return &r.words[base+1+way]
}

func (r *region) line(home, i int) []atomic.Uint64 {
	base, way := r.bucket(home, i)
	at := base + tagWords + way*r.width
	return r.words[at : at+r.width]
}

// find looks for the line of a place; candidate is -1 when there is none.
func (r *region) find(p place) (candidate int, tag uint64) {
	for i := range 2 * ways {
		if tag := r.tag(p.home, i).Load(); tag>>leaseBits == p.fp {
			return i, tag
		}
	}
	return -1, 0
}

// peek is the line of a place as it is; nil when there is none.
func (r *region) peek(p place) []atomic.Uint64 {
	if i, _ := r.find(p); i >= 0 {
		return r.line(p.home, i)
	}
	return nil
}

// lease gives the line of a place, which is the place's own until the given second at least.
func (r *region) lease(p place, now, until int64) ([]atomic.Uint64, error) {
	end := unitOf(until) + 1
	for {
		i, tag := r.find(p)
		switch {
		case i < 0:
			if err := r.insert(p, unitOf(now)); err != nil {
				return nil, err
			}
		case tag&leaseMask >= end, r.tag(p.home, i).CompareAndSwap(tag, makeTag(p.fp, end)):
			return r.line(p.home, i), nil
		}
	}
}

// The insertion word, from the top: its number; the unit in which the line was chosen; the candidate that was chosen plus
// one, zero when the insertion is over; the fingerprint that gets the line.
const (
	fpBits         = 64 - leaseBits
	candidateShift = fpBits
	candidateMask  = uint64(1<<6-1) << candidateShift
	unitShift      = candidateShift + 6
	unitMask       = 1<<10 - 1
	numberShift    = unitShift + 10
)

func makeInsertion(before, unit uint64, candidate int, fp uint64) uint64 {
	number := before>>numberShift + 1
	return number<<numberShift | (unit&unitMask)<<unitShift | uint64(candidate+1)<<candidateShift | fp //nolint:gosec // small
}

// insert makes a line the place's, unless somebody is faster; the caller looks again.
func (r *region) insert(p place, unit uint64) error {
	word := r.insertion(p.home)
	before := word.Load()
	if before&candidateMask != 0 {
		r.finish(p.home, before, unit)
		return nil
	}
	if i, _ := r.find(p); i >= 0 {
		return nil
	}
	for i := range 2 * ways {
		if free(r.tag(p.home, i).Load(), unit) {
			insertion := makeInsertion(before, unit, i, p.fp)
			if word.CompareAndSwap(before, insertion) {
				r.finish(p.home, insertion, unit)
			}
			return nil
		}
	}
	if word.Load() != before {
		return nil
	}
	return ErrFull
}

// finish carries out an insertion, anybody's. If the line's last owner has come back meanwhile, nothing happens. What
// free means is decided by the insertion and not by the clock of who finishes it: if two disagreed, one would end the
// insertion as vain and the other carry it out, when the key has found another line.
func (r *region) finish(home int, insertion, unit uint64) {
	tag := r.tag(home, int(insertion&candidateMask>>candidateShift)-1)
	was := tag.Load()
	if r.insertion(home).Load() != insertion {
		return // it is over, and was is about something else
	}
	chosen := unit - (unit-insertion>>unitShift+unitMask/2)&unitMask + unitMask/2 // the nearest one
	if free(was, chosen) {
		// The lease is short; who counts makes it longer. That this fails means that it is done, or cannot be.
		tag.CompareAndSwap(was, makeTag(insertion&fpMask, chosen+1))
	}
	r.insertion(home).CompareAndSwap(insertion, insertion&^candidateMask)
}

// idleSince reports that no lease of the region reaches into the unit.
func (r *region) idleSince(unit uint64) bool {
	for home := range r.buckets {
		for i := range ways {
			if !free(r.tag(home, i).Load(), unit) {
				return false
			}
		}
	}
	return true
}
