package workloads

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// Stream is the named stream of a run's seed: the only source of randomness in the harness. Streams of different names or seeds
// are independent, so drawing more from one (another read, another fault) moves nothing in another. A stream is not safe for
// concurrent use; take one for each purpose.
func Stream(seed uint64, name string) *rand.Rand {
	// A cryptographic hash, because PCG started from neighbouring seeds is correlated in its first values.
	h := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, seed), name...))
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(h[:8]), binary.BigEndian.Uint64(h[8:16])))
}
