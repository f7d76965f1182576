package defects

import (
	"fmt"
	"time"

	"github.com/wreckon/wreckon/reference/jobs"
	"github.com/wreckon/wreckon/reference/parts"
)

// LeaseByWallClock makes each worker judge by its own clock whether a lease has expired, and nobody judge by anything else.
var LeaseByWallClock = Defect{
	Name: "lease-by-wall-clock",
	Story: "A lock says until when it is held, in a table that all can read, and whoever wants it compares that with the time. The time is that of " +
		"his machine. All machines are synchronised, it says so in the handbook; on one of them the daemon has not run since the last image " +
		"was built, and it is three seconds ahead. For this machine every lock has expired as soon as it is taken. It takes the job of a worker " +
		"who is alive and well; both work on it, each under a key of his own, and the higher token that the second one got is shown " +
		"to nobody who would refuse the lower, since there is one worker at a time.",
	Reveals: []string{"jobs-zombie-worker"},
	Falls:   "fencing",
	Of:      "jobs",
	Apply: func(p *parts.Parts) {
		p.JobClock = func(asked time.Time) time.Time { return asked }
		p.JobFenced = false
		p.JobKey = func(g jobs.Grant, n int) string { return fmt.Sprintf("%s/lock-%d", jobs.StableKey(g, n), g.Token) }
	},
}
