package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/platform"
)

func TestPrintUnits_TellsOfTrouble(t *testing.T) {
	t.Parallel()
	next := time.Date(2030, 1, 2, 3, 4, 5, 0, time.Local)
	var out strings.Builder
	err := printUnits(&out, "shop", hosting.Units{ProvisioningState: "Succeeded", Locations: []hosting.UnitLocation{{
		Location: "westeurope", PlatformVersion: platform.STv2, Tier: platform.Developer, Units: 1,
		Sets: []hosting.UnitSet{{ID: "s", Platform: platform.STv2, Machines: []hosting.UnitMachine{
			{
				Machine: platform.Machine{ID: "bad", Mode: platform.Serving}, Phase: platform.Exited, Restarts: 4, CrashLoop: true,
				NextStart: next, Error: "exited without being asked: exit status 3",
			},
			{Machine: platform.Machine{ID: "good", Mode: platform.Serving, Gateway: "1.0"}, Phase: platform.Ready, PID: 7, Seq: 9, Digest: "abcdef0123456789", Runs: "1.0", Capacity: 37, Load: &platform.Load{CPU: 37, Memory: 4}},
			{Machine: platform.Machine{ID: "odd", Mode: platform.Parked, Gateway: "2.0"}, Phase: platform.Ready, PID: 8, Seq: 9, Runs: "1.0", Refused: "/apis/a: too new"},
		}}},
	}, {
		Location: "eastus", PlatformVersion: platform.STv2, Tier: platform.Developer, Units: 1, Disabled: true,
		VIPs: []hosting.UnitVIP{{VIP: platform.VIP{Address: "127.0.0.2"}, Accepting: []string{"e"}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	want := `shop in westeurope: stv2, Developer with 1 unit, Succeeded
  set s, stv2
    no zone         │ × ■ □  load   ▃
                     ■ serving  □ parked  × not running
  SET  PLATFORM  MACHINE  GATEWAY         ZONE  UPDATE DOMAIN  FAULT DOMAIN  MODE     PHASE       SEQ  DIGEST    CONNECTIONS  LOAD                              RESTARTS  PID
  s    stv2      bad      -               -     0              0             serving  crash loop  0    -         0            -                                 4         0
  s    stv2      good     1.0             -     0              0             serving  ready       9    abcdef01  0            37 % (cpu 37, memory 4, queue 0)  0         7
  s    stv2      odd      2.0 (runs 1.0)  -     0              0             parked   ready       9    -         0            -                                 0         8
  machine bad: exited without being asked: exit status 3; starts again at 03:04:05
  machine odd cannot serve /apis/a: too new
shop in eastus: stv2, Developer with 1 unit, Succeeded, out of rotation
  VIP 127.0.0.2 is answered by e
  SET  PLATFORM  MACHINE  GATEWAY  ZONE  UPDATE DOMAIN  FAULT DOMAIN  MODE  PHASE  SEQ  DIGEST  CONNECTIONS  LOAD  RESTARTS  PID
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("units (-want +got):\n%s", d)
	}
}
