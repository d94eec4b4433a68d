package config_test

import (
	"testing"

	"github.com/portico-dev/portico/internal/config"
	"github.com/portico-dev/portico/internal/platform"
)

func TestLoad_NewerHardware(t *testing.T) {
	t.Parallel()
	none := func(string) (string, bool) { return "", false }
	const same = "newer-cores, newer-memory: newer hardware has other processors or another memory than machine-cores and machine-memory say"
	for _, tt := range []struct {
		flags map[string]string
		want  platform.Hardware
		err   string
	}{
		{nil, platform.Hardware{}, ""},
		{map[string]string{"newer-cores": "2"}, platform.Hardware{Cores: 2, Memory: 1 << 30}, ""},
		{map[string]string{"newer-memory": "512MiB", "machine-cores": "0.5"}, platform.Hardware{Cores: 0.5, Memory: 512 << 20}, ""},
		{map[string]string{"newer-cores": "4", "newer-memory": "8GiB"}, platform.Hardware{Cores: 4, Memory: 8 << 30}, ""},
		{map[string]string{"newer-cores": "1"}, platform.Hardware{Cores: 1, Memory: 1 << 30}, ""}, // the first may use the whole host
		{map[string]string{"newer-cores": "1", "machine-cores": "1"}, platform.Hardware{Cores: 1, Memory: 1 << 30}, same},
		{map[string]string{"newer-cores": "0.9", "newer-memory": "1GiB", "machine-cores": "1"}, platform.Hardware{Cores: 0.9, Memory: 1 << 30}, same},
		{map[string]string{"newer-cores": "0"}, platform.Hardware{}, `newer-cores (flag): "0" is not a number of cores between 0.01 and 1024`},
	} {
		up, _, err := config.Load(tt.flags, none, "")
		text := ""
		if err != nil {
			text = err.Error()
		}
		if up.Newest() != tt.want || text != tt.err {
			t.Errorf("%v: newest hardware %+v, %q; want %+v, %q", tt.flags, up.Newest(), text, tt.want, tt.err)
		}
	}
}
