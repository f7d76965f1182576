package defects

import "github.com/wreckon/wreckon/reference/parts"

// UnsyncedCommit makes PostgreSQL answer COMMIT before it has written anything down.
var UnsyncedCommit = Defect{
	Name: "unsynced-commit",
	Story: "synchronous_commit = off was the cheapest thing that had ever been done for throughput: one line, and twice as many orders a second. The " +
		"manual says that transactions may be lost in a crash, for a fraction of a second, and that nothing gets inconsistent by it, and both is " +
		"true of the database. It is not true of what was told about: the client has its 201, the card is charged, the message is acknowledged, and " +
		"the row that says so was still in the memory of a server that was killed for using too much of it.",
	Reveals: []string{"postgres-crash"},
	Falls:   "no-lost-work",
	Of:      "reference-postgres",
	Apply:   func(p *parts.Parts) { p.Session = map[string]string{"synchronous_commit": "off"} },
}
