package file

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/servers"
	"github.com/wreckon/wreckon/targets"
)

const ledger = `
target: shop
components:
  shop: {command: [./shop]}
  db: {command: [postgres], database: "URL"}
edges:
  - {from: client, to: shop, protocol: http}
  - {from: shop, to: db, protocol: postgres}
submit: {to: shop, request: POST /orders}
effects:
  - {from: {database: db, query: "SELECT * FROM charges ORDER BY id;"}, id: id, unit: order_id, step: charge, key: key, value: amount, trace: more.trace}
totals:
  - {name: sold, from: {database: db, query: "SELECT sum(amount) FROM charges"}}
idle:
  queued:
    - {from: {database: db, query: "SELECT count(*) FROM charges WHERE key IS NULL"}}
claims: {unit: order, steps: [{name: charge, required: true}], totals: [{name: sold, terms: [{observed: sold}]}]}
`

// Whatever types a table has, its rows are read as what they say; what commits late is read all the same.
func TestADatabaseIsReadAsItIs(t *testing.T) {
	addr := servers.Postgres(t)
	url := servers.PostgresURL(addr)
	db, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer db.Close(t.Context())
	exec := func(c *pgx.Conn, sql string) {
		_, err := c.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	exec(db, `CREATE TABLE charges (id serial PRIMARY KEY, order_id text, key uuid, amount numeric(10, 2), more jsonb, at timestamptz DEFAULT now())`)
	late, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer late.Close(t.Context())
	exec(late, `BEGIN`)
	exec(late, `INSERT INTO charges (order_id, amount) VALUES ('o-1', 1)`)
	exec(db, `INSERT INTO charges (order_id, key, amount, more) VALUES ('o-2', '00000000-0000-0000-0000-000000000002', 12.50, '{"trace": "t"}'), ('x', NULL, 3, NULL)`)

	d, problems := define("/shop/target.yaml", []byte(strings.Replace(ledger, "URL", strings.Replace(url, addr, "${listen}", 1), 1)))
	require.Empty(t, problems, "%v", problems)
	rec := &recorder{}
	made, err := d.start(targets.Wiring{Listen: map[string]string{"db": addr}, Recorder: rec, Clock: rec})
	require.NoError(t, err)
	i := made.(*instance)
	defer func() { require.NoError(t, i.Close()) }()

	require.NoError(t, i.news(t.Context()))
	first := []string{"do charge o-2 db applied 00000000-0000-0000-0000-000000000002 12.50 0 t", `do charge - db applied foreign id: "x" 3.00 0`}
	assert.Equal(t, first, rec.of(history.KindEffect))
	exec(late, `COMMIT`) // its id is lower than what was read already
	require.NoError(t, i.Observe(t.Context()))
	assert.Equal(t, append(first, "do charge o-1 db applied 1.00 0"), rec.of(history.KindEffect), "each once")
	assert.Equal(t, []string{"total - db sold 16.50 0"}, rec.of(history.KindObserve))
	b, err := i.Backlog(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, b.Queued)

	exec(db, `DROP TABLE charges`)
	require.ErrorContains(t, i.Observe(t.Context()), `relation "charges" does not exist`)
	_, err = i.Backlog(t.Context())
	require.Error(t, err)
}
