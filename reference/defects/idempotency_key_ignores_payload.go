package defects

import "github.com/wreckon/wreckon/reference/parts"

// IdempotencyKeyIgnoresPayload makes the api answer a key with what it answered before, whatever is asked.
var IdempotencyKeyIgnoresPayload = Defect{
	Name: "idempotency-key-ignores-payload",
	Story: "The middleware looks the key up, finds an answer, and returns it; the handler never sees the request. It is the pattern of the book, " +
		"without the page about fingerprints. A client makes its key of the customer and the day, because somebody may press the button twice. On " +
		"the day on which a customer orders a second thing, the second order is answered with 201, and with the number of the first. Both " +
		"sides have a log that says that all went well, and there is no second order.",
	Reveals: []string{"repeated-requests"},
	Falls:   "idempotent-answers",
	Apply:   func(p *parts.Parts) { p.Print = func([]byte) string { return "" } },
}
