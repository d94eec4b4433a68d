package platform

// Load is how much a machine uses of what it may use, in percent. The zero value says that nothing is known: a machine
// that runs has memory.
type Load struct {
	CPU    int `json:"cpu"`
	Memory int `json:"memory"`
	// Queue is how full the fullest of its queues is: connections that wait to be accepted, and places for those that were.
	Queue int `json:"queue"`
}

// Capacity is the machine's load in one number: that of what it has least of. The cloud service makes its number of the
// same three and does not say how.
func (l Load) Capacity() int { return max(l.CPU, l.Memory, l.Queue) }
