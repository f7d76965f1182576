package checkers

// totals count events over the whole history.
type totals struct {
	submits, ops, ok, fail           int
	submitOK, readOK, amendOK        int
	applied, deduplicated, states    int
	stepsSeen, unnumbered, exchanges int
	tokens                           bool // effects or executions carry one
	reads                            bool // a client read or updated a unit
}

// add counts n events of one meaning; n may be below zero, to take back what was counted.
func (t *totals) add(m *meaning, n int) {
	unit := 0
	if m.unit {
		unit = n
	}
	switch m.act {
	case actInvoke:
		t.ops += n
		if m.op == opSubmit {
			t.submits += unit
		}
		t.reads = t.reads || (m.op == opRead || m.op == opAmend) && n > 0
	case actOK:
		t.ok += n
		t.answered(m.op, n)
	case actFail:
		t.fail += n
	case actApplied:
		t.applied += n
	case actDeduplicated:
		t.deduplicated += n
	case actState:
		t.states += unit
	case actStep:
		t.stepsSeen += unit
	case actExchange:
		t.exchanges += n
	}
}

// answered counts answers that were ok.
func (t *totals) answered(op opCode, n int) {
	switch op {
	case opSubmit:
		t.submitOK += n
	case opRead:
		t.readOK += n
	case opAmend:
		t.amendOK += n
	}
}
