package load

import (
	"testing"

	"github.com/portico-dev/portico/internal/platform"
)

// What is measured is this process: the figures depend on the bounds alone, where these are far enough off.
func TestMeter_MeasuresByItsBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		bounds Bounds
		conns  int
		want   platform.Load
	}{
		{"much room", Bounds{Cores: 1e9, Memory: 1 << 50, Conns: 1000}, 9, platform.Load{Memory: 1}},
		{"half of the places", Bounds{Cores: 1e9, Memory: 1 << 50, Conns: 1000}, 500, platform.Load{Memory: 1, Queue: 50}},
		{"no room", Bounds{Cores: 1e-9, Memory: 1, Conns: 1}, 2, platform.Load{CPU: 100, Memory: 100, Queue: 100}},
		{"no bounds", Bounds{}, 2, platform.Load{Memory: 1}},
	} {
		m := NewMeter(c.bounds)
		first := m.Read(c.conns)
		if first.CPU != 0 {
			t.Errorf("%s: the first reading says %d %% of processors", c.name, first.CPU)
		}
		var got platform.Load
		for range 3 * readings {
			spin()
			got = m.Read(c.conns)
		}
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

var sink int

func spin() {
	for i := range 100_000 {
		sink += i * i
	}
}

func BenchmarkMeter(b *testing.B) {
	m := NewMeter(Bounds{Cores: 1, Memory: 1 << 30, Conns: 1})
	for b.Loop() {
		m.Read(0)
	}
}
