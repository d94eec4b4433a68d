package config

import (
	"cmp"
	"errors"

	"github.com/portico-dev/portico/internal/platform"
)

// Hardware is what machines are started on that name no other.
func (u Up) Hardware() platform.Hardware {
	return platform.Hardware{Cores: u.MachineCores, Memory: u.MachineMemory}
}

// Newest is the newest hardware of the host; the zero value where it has none but the first.
func (u Up) Newest() platform.Hardware {
	if u.NewerCores == 0 && u.NewerMemory == 0 {
		return platform.Hardware{}
	}
	return platform.Hardware{Cores: cmp.Or(u.NewerCores, u.MachineCores), Memory: cmp.Or(u.NewerMemory, u.MachineMemory)}
}

// checkHardware says whether newer hardware is another than the first: a platform version is no label.
func (u Up) checkHardware() error {
	if n, first := u.Newest(), u.Hardware(); n.Newer() && n.Processors() == first.Processors() && n.Memory == first.Memory {
		return errors.New("newer-cores, newer-memory: newer hardware has other processors or another memory than machine-cores and machine-memory say")
	}
	return nil
}
