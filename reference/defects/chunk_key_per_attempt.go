package defects

import (
	"fmt"

	"github.com/wreckon/wreckon/reference/jobs"
	"github.com/wreckon/wreckon/reference/parts"
)

// ChunkKeyPerAttempt makes each holder of a job ask for its effects under keys of his own.
var ChunkKeyPerAttempt = Defect{
	Name: "chunk-key-per-attempt",
	Story: "To find out which run of a job had caused which posting, the idempotency key was given the number of the attempt as a suffix; the " +
		"partner's documentation asks for a unique key for each request, and now each was. The key still protected against a repeated " +
		"request. But when a worker died after a posting and before it had saved its place, the next one repeated the chunk with the " +
		"next number, and the partner posted it again, as something new.",
	Reveals: []string{"jobs-worker-crash"},
	Falls:   "no-duplicate-effects",
	Of:      "jobs",
	Apply: func(p *parts.Parts) {
		p.JobKey = func(g jobs.Grant, n int) string { return fmt.Sprintf("%s/%d", jobs.StableKey(g, n), g.Attempt) }
	},
}
