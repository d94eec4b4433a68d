package identity

import (
	"crypto/sha256"
	"sync"
)

// maxVerified bounds the tokens that are remembered; there are as many as clients have at a time.
const maxVerified = 256

// verified remembers which tokens had a good signature: looking costs a fortieth of checking it again, and clients send
// the same token for an hour. What a token says is still read each time.
type verified struct {
	mu   sync.Mutex // guards below
	sums map[[sha256.Size]byte]bool
}

func (v *verified) has(token string) bool {
	sum := sha256.Sum256([]byte(token))
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.sums[sum]
}

func (v *verified) add(token string) {
	sum := sha256.Sum256([]byte(token))
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.sums == nil || len(v.sums) >= maxVerified {
		v.sums = map[[sha256.Size]byte]bool{}
	}
	v.sums[sum] = true
}
