package platform

// Answers counts what a machine answered to callers since it runs its version of the gateway. The zero value is also that of
// a version that does not count.
type Answers struct {
	All    int64 `json:"all"`
	Failed int64 `json:"failed"` // with a status of 5xx, or not at all
	// Own is how many failed within the gateway itself: no backend and nobody else is to blame.
	Own int64 `json:"own"`
}

// Plus is the sum of two counts.
func (a Answers) Plus(b Answers) Answers {
	return Answers{a.All + b.All, a.Failed + b.Failed, a.Own + b.Own}
}

// Since is what was counted after an earlier count; all of it, where counting has begun anew in between.
func (a Answers) Since(before Answers) Answers {
	d := Answers{a.All - before.All, a.Failed - before.Failed, a.Own - before.Own}
	if d.All < 0 || d.Failed < 0 || d.Own < 0 {
		return a
	}
	return d
}
