package saga

import (
	"context"

	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/store"
)

// Keep is where sagas are between two messages; see Table.
type Keep interface {
	// Begin adds the saga of an order that a message brought, about to reserve; false: it is there already.
	Begin(tx *store.Tx, order orders.Order, d message.Delivery) (added bool, err error)
	// Load finds where a saga stands, its trace and the order; sql.ErrNoRows if there is none.
	Load(tx *store.Tx, id string) (state, trace string, order []byte, err error)
	// Move notes where it stands now, and what is asked for.
	Move(tx *store.Tx, id string, m Move) error
}

// Table keeps sagas in the database, in the transaction that also notes the reply and asks for the next step.
type Table struct{}

// Begin adds a row.
func (Table) Begin(tx *store.Tx, order orders.Order, d message.Delivery) (bool, error) {
	added, err := tx.Exec(`INSERT INTO sagas (order_id, state, asked, trace, amount, body) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		order.OrderID, Reserving, orders.Reserve, d.Trace, order.Amount, d.Data)
	return added == 1, err
}

// Load reads the row.
func (Table) Load(tx *store.Tx, id string) (state, trace string, order []byte, err error) {
	err = tx.Row(`SELECT state, trace, body FROM sagas WHERE order_id = ?`, []any{id}, &state, &trace, &order)
	return state, trace, order, err
}

// Move changes the row. What a saga that has ended asked for last stays there.
func (Table) Move(tx *store.Tx, id string, m Move) error {
	_, err := tx.Exec(`UPDATE sagas SET state = ?1, ended = ?2, asked = CASE ?3 WHEN '' THEN asked ELSE ?3 END WHERE order_id = ?4`,
		m.State, m.Ask == "", m.Ask, id)
	return err
}

// Open is how many sagas have not ended.
func (o *Orchestrator) Open(ctx context.Context) (int64, error) {
	return o.DB.Count(ctx, `SELECT count(*) FROM sagas WHERE ended = 0`)
}
