package defects

import (
	"sync"

	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/saga"
	"github.com/wreckon/wreckon/reference/store"
)

// SagaStateInMemory makes the orchestrator keep running sagas in memory.
var SagaStateInMemory = Defect{
	Name: "saga-state-in-memory",
	Story: "A saga lives for a tenth of a second and is read and written five times in it, so it was kept where that costs nothing: in a map. What it " +
		"asks for and what it tells goes through the outbox, as ever. A process that starts has an empty map. The replies to what the one before " +
		"had asked for arrive, none of them belongs to a saga that anybody knows, and they are dropped, as replies that come twice are. " +
		"The card is charged, nothing is shipped, nothing is undone, and nobody waits for anything.",
	Reveals: []string{"lost-audit"},
	Falls:   "no-lost-work",
	Apply:   func(p *parts.Parts) { p.Sagas = &remembered{sagas: map[string]memory{}} },
}

type memory struct {
	state, trace string
	order        []byte
}

type remembered struct {
	mu    sync.Mutex
	sagas map[string]memory
}

func (r *remembered) set(tx *store.Tx, id string, m memory) {
	tx.After(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sagas[id] = m
	})
}

func (r *remembered) get(id string) (memory, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m, ok := r.sagas[id]
	return m, ok
}

func (r *remembered) Begin(tx *store.Tx, order orders.Order, d message.Delivery) (bool, error) {
	_, begun := r.get(order.OrderID)
	if !begun {
		r.set(tx, order.OrderID, memory{saga.Reserving, d.Trace, d.Data})
	}
	return !begun, nil
}

func (r *remembered) Load(_ *store.Tx, id string) (state, trace string, order []byte, err error) {
	m, known := r.get(id)
	if !known {
		m.order = []byte("{}") // no reply fits it
	}
	return m.state, m.trace, m.order, nil
}

func (r *remembered) Move(tx *store.Tx, id string, to saga.Move) error {
	m, _ := r.get(id)
	r.set(tx, id, memory{to.State, m.trace, m.order})
	return nil
}
