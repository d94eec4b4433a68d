package e2e

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/store"
	"github.com/portico-dev/portico/internal/store/sqlite"
)

// unsettled says what still moves, or is there and on no record; it is empty when everything rests and the host holds
// exactly what the records list.
func (h *crashHost) unsettled() (reason string, err error) {
	h.t.Helper()
	if running := h.running(); len(running) > 0 {
		return fmt.Sprint("operations are in progress: ", running), nil
	}
	if slices.Contains(h.args, "--soft-delete") && len(h.documents(store.Query{Type: "microsoft.apimanagement/locations/deletedservices"})) > 0 {
		return "a soft-deleted service will expire", nil
	}
	rec, reason, err := h.recorded()
	if err != nil || reason != "" {
		return reason, err
	}
	if named := h.hits(h.started)["hosting.name.after"]; named < rec.named {
		return fmt.Sprintf("%d of %d services have been named since the start", named, rec.named), nil
	}
	machines, addresses := h.inventory()
	if d := cmp.Diff(rec.machines, machines); d != "" {
		return "machines (-recorded +running): " + d, nil
	}
	if d := cmp.Diff(rec.addresses, addresses); d != "" {
		return "addresses (-recorded +listening): " + d, nil
	}
	return "", nil
}

// A recorded is what management says there is.
type recorded struct {
	named     int      // services that have names on the edge
	machines  []int    // process IDs
	addresses []string // public
}

// recorded collects what all services list. reason says what is not at rest.
func (h *crashHost) recorded() (rec recorded, reason string, err error) {
	var all struct {
		Value []struct {
			ID string `json:"id"`
			view
		} `json:"value"`
	}
	if err := h.get(h.client.Subscription()+"/providers/Microsoft.ApiManagement/service", &all); err != nil {
		return rec, "", err
	}
	rec.machines = []int{}
	for _, s := range all.Value {
		if s.Properties.Network != "Internal" {
			rec.named++
		}
		if p := s.Properties; p.ProvisioningState != "Succeeded" || p.TargetState != "" {
			return rec, fmt.Sprintf("%s is %s, becoming %q", s.ID, p.ProvisioningState, p.TargetState), nil
		}
		var u units
		if err := h.get(s.ID+"/providers/Portico.Hosting/units", &u); err != nil {
			return rec, "", err
		}
		if reason = rec.add(u, h.windows); reason != "" {
			return rec, s.ID + " " + reason, nil
		}
	}
	slices.Sort(rec.machines)
	rec.machines = slices.Compact(rec.machines)
	slices.Sort(rec.addresses)
	return rec, "", nil
}

// add takes what is listed of a service. windows says that what it was moved from may be there.
func (rec *recorded) add(u units, windows bool) (reason string) {
	for _, l := range u.Locations {
		if most := 1; l.Leaving || !windows && l.Coexistence != nil || l.Coexistence == nil && (len(l.Sets) != most || len(l.VIPs) > most) {
			return fmt.Sprintf("has %d sets and %d addresses", len(l.Sets), len(l.VIPs))
		}
		for _, v := range l.VIPs {
			rec.addresses = append(rec.addresses, v.Address)
		}
		for _, s := range l.Sets {
			for _, m := range s.Machines {
				if m.Phase == "asleep" { // of the pool, while nobody calls
					continue
				}
				if m.Phase != "ready" || s.Active && m.Mode != "serving" || m.PID == 0 {
					return fmt.Sprintf("has a machine that is %s and %s", m.Mode, m.Phase)
				}
				rec.machines = append(rec.machines, m.PID)
			}
		}
	}
	return ""
}

// inventory is what really runs and listens on this host for the folder, agent and edge left out.
func (h *crashHost) inventory() (machines []int, addresses []string) {
	h.t.Helper()
	machines = []int{}
	sockets := map[string]bool{}
	for _, line := range processes(h.t, h.dir) {
		f := strings.Fields(line) // process ID, program, kind, flags
		if pid, err := strconv.Atoi(f[0]); err == nil && f[2] == "machine" {
			machines = append(machines, pid)
		}
		links, _ := filepath.Glob("/proc/" + f[0] + "/fd/*")
		for _, l := range links {
			if to, err := os.Readlink(l); err == nil && strings.HasPrefix(to, "socket:[") {
				sockets[strings.Trim(to[len("socket:"):], "[]")] = true
			}
		}
	}
	slices.Sort(machines)
	return machines, h.listening(sockets, machines)
}

// listening lists the addresses, other than those of the edge, on which sockets listen, on the host and in the networks of
// machines.
func (h *crashHost) listening(sockets map[string]bool, machines []int) (out []string) {
	h.t.Helper()
	seen := map[string]bool{} // namespaces
	for _, pid := range append([]int{os.Getpid()}, machines...) {
		space, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err != nil || seen[space] { // the machine has ended, or is where another one is
			continue
		}
		seen[space] = true
		out = append(out, h.listeningAround(pid, sockets)...)
	}
	slices.Sort(out)
	return out // with those twice that two networks have
}

// listeningAround reads the kernel's table of the network of a process. Sockets that listen come first in it. The rest is
// left alone: there are tens of thousands that wait for their end, which the kernel takes a tenth of a second to list, and
// many hosts under test would have it do little else.
func (h *crashHost) listeningAround(pid int, sockets map[string]bool) (out []string) {
	h.t.Helper()
	table, err := os.Open(fmt.Sprintf("/proc/%d/net/tcp", pid))
	if err != nil {
		return nil // the machine has ended
	}
	defer table.Close()
	lines := bufio.NewScanner(table)
	lines.Scan() // the head
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		const listen = "0A"
		if len(f) < 10 || f[3] != listen {
			break
		}
		if !sockets[f[9]] {
			continue
		}
		raw, err := hex.DecodeString(f[1][:8])
		if err != nil {
			h.t.Fatal(err)
		}
		a := netip.AddrFrom4([4]byte{raw[3], raw[2], raw[1], raw[0]}) // host order of a little-endian machine
		if a != netip.MustParseAddr("127.0.0.1") {
			out = append(out, a.String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out) // HTTP and HTTPS
}

// documents reads the store of the folder, which another process may use.
func (h *crashHost) documents(q store.Query) []store.Document {
	h.t.Helper()
	st, err := sqlite.Open(h.t.Context(), filepath.Join(h.dir, "portico.db"), sqlite.Options{Readers: 1})
	if err != nil {
		h.t.Fatal(err)
	}
	defer st.Close()
	var docs []store.Document
	err = st.View(h.t.Context(), func(r store.Reader) error {
		docs, err = r.List(q)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return docs
}

func (h *crashHost) operations() []lro.Operation {
	h.t.Helper()
	var ops []lro.Operation
	for _, d := range h.documents(store.Query{Type: lro.Type}) {
		var op lro.Operation
		if err := json.Unmarshal(d.Status, &op); err != nil {
			h.t.Fatal(err)
		}
		ops = append(ops, op)
	}
	return ops
}

// running names the operations that have not ended.
func (h *crashHost) running() (names []string) {
	h.t.Helper()
	for _, op := range h.operations() {
		if op.Status == lro.InProgress {
			names = append(names, op.Kind+" "+op.Name)
		}
	}
	return names
}

// allSucceeded checks that no operation of this host ended badly, and that no pool is left without a service.
func (h *crashHost) allSucceeded() {
	h.t.Helper()
	n := 0
	for _, op := range h.operations() {
		if n++; op.Status != lro.Succeeded {
			h.t.Errorf("%s of %s ended as %s: %+v", op.Kind, op.Target, op.Status, op.Error)
		}
	}
	h.t.Logf("%d operations, all succeeded", n)
}
