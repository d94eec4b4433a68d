package agent

// replace refuses: processes do not return to another program on this system.
func (a *agent) replace(string) error {
	return invalid("an agent is not replaced while it runs on this system")
}

func takeHanded() (*handed, error) { return nil, nil }
