package agent

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// Addresses are given one after the other, so that one that was released is not the next.
func TestPorts_NextAddress(t *testing.T) {
	t.Parallel()
	p := &ports{pool: netip.MustParsePrefix("127.98.7.8/29")}
	var got []string
	for range 9 {
		address, files, err := p.openAnyVIP(map[string]bool{"127.98.7.11": true})
		if err != nil {
			t.Fatal(err)
		}
		wire.CloseAll(files)
		got = append(got, address[len("127.98.7."):])
	}
	if d := cmp.Diff([]string{"9", "10", "12", "13", "14", "15", "9", "10", "12"}, got); d != "" {
		t.Error(d)
	}
	all := map[string]bool{}
	for a := p.pool.Addr(); p.pool.Contains(a); a = a.Next() {
		all[a.String()] = true
	}
	if _, _, err := p.openAnyVIP(all); !errors.Is(err, errExhausted) {
		t.Errorf("without a free address: %v", err)
	}
}
