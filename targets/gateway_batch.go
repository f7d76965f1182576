package targets

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/wreckon/wreckon/history"
)

// line is one effect of a batch, with its number among those of its account.
type line struct {
	OrderID string `json:"order_id"`
	Account string `json:"account"`
	Number  uint64 `json:"number"`
	Meter   string `json:"meter"`
	Amount  int64  `json:"amount"`
	Trace   string `json:"trace"`
}

// unknownMeter is what no line is accepted of.
const unknownMeter = "unknown"

// applyBatch applies a batch as a whole, but for the lines that are refused, once for each key, and records an effect for each line: its key
// is the account, its token the number.
func (g *gateway) applyBatch(rt route, req request) Reply {
	effects := make([]history.Event, len(req.Lines))
	for k, l := range req.Lines {
		e := history.Event{Kind: history.KindEffect, Op: rt.op, Step: rt.step, Component: cmp.Or(rt.component, clip(req.agent, 60)),
			Key: clip(l.Account, 60), Token: l.Number, Value: strconv.FormatInt(l.Amount, 10), Trace: traceID(l.Trace)}
		unit, err := history.ParseUnit(g.prefix, l.OrderID)
		if e.Unit = unit; err != nil {
			e.Value = clip("foreign id: "+l.OrderID, 200)
		}
		if l.Meter == unknownMeter {
			e.Outcome = history.OutcomeRefused
		}
		effects[k] = e
	}
	return g.ledger.ApplyBatch(req.path+" "+req.key, req.digest, effects, func(n int) Reply {
		return Reply{http.StatusOK, billed(n, req.Lines)}
	})
}

// billed is the answer to a batch: what was made of it, and the numbers of the lines that were refused.
func billed(id int, lines []line) []byte {
	refused := []uint64{}
	for _, l := range lines {
		if l.Meter == unknownMeter {
			refused = append(refused, l.Number)
		}
	}
	body, err := json.Marshal(map[string]any{"id": "bill-" + strconv.Itoa(id), "refused": refused})
	if err != nil { // cannot happen: it is numbers
		return []byte(`{}`)
	}
	return body
}
