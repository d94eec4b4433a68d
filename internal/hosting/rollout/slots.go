package rollout

// fellows is how many services of a pool move at a time, once one of them has moved the machines that all of them share:
// that is noted for each of them, and little more.
const fellows = 64

// slots count what moves. Services that share machines take one together: the first of them alone, since it may fail.
type slots struct {
	parallel int
	moving   map[string]int  // services by division
	through  map[string]bool // divisions of which one has moved
}

// newSlots counts the services at a place, and the divisions that have come to the next.
func newSlots(all []service, parallel int, moves, moved Place) slots {
	x := slots{parallel, map[string]int{}, map[string]bool{}}
	for _, s := range all {
		switch s.place() {
		case moves:
			x.moving[s.division()]++
		case moved:
			if d := s.division(); d != s.id {
				x.through[d] = true
			}
		}
	}
	return x
}

// take takes room for a service, if there is any.
func (x slots) take(s service) bool {
	d := s.division()
	n := x.moving[d]
	if n == 0 && len(x.moving) >= x.parallel || n > 0 && !x.through[d] || n >= fellows {
		return false
	}
	x.moving[d]++
	return true
}
