package platform

// A Probe asks whether a gateway reaches something.
type Probe struct {
	// Injection is where in a virtual network the gateway is; empty for none.
	Injection string `json:"injection,omitempty"`
	Address   string `json:"address"` // name or literal; of HTTP and HTTPS also a URL
	Port      int    `json:"port"`
	Protocol  string `json:"protocol"` // TCP, HTTP or HTTPS
	Method    string `json:"method,omitempty"`
	// Valid are the statuses of HTTP that are good; empty: all below 400.
	Valid   []int             `json:"valid,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
}

// A Reach is what came of a probe.
type Reach struct {
	Sent   int `json:"sent"`
	Failed int `json:"failed"`
	// Times of the good ones, in milliseconds.
	Min, Avg, Max int64
	From, To      string // literal addresses, as far as known
	Trouble       string // of the last one that failed: DnsResolution, SocketBind or Unknown
}
