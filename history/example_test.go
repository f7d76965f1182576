package history_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/wreckon/wreckon/history"
)

func ExampleCreate() {
	dir, err := os.MkdirTemp("", "history")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "history.wrk")

	r, err := history.Create(path, history.Header{Run: "example", Claims: history.Claims{Prefix: "o-"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close() // after Seal it does nothing
	r.Record(history.Event{Kind: history.KindInvoke, Unit: 16, Actor: 1, Op: "submit"})
	r.Record(history.Event{Kind: history.KindOK, Unit: 16, Actor: 1, Op: "submit", Value: "accepted"})
	if err := r.Seal(); err != nil {
		fmt.Println(err)
		return
	}

	h, err := history.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range h.Len() {
		e := h.Event(i)
		fmt.Printf("%d %s %v %s %q\n", e.Seq, h.UnitName(e.Unit), e.Kind, e.Op, e.Value)
	}
	fmt.Println("sealed:", h.Sealed)
	// Output:
	// 0 o-17 invoke submit ""
	// 1 o-17 ok submit "accepted"
	// sealed: true
}

func ExampleReadJSONL() {
	h, err := history.ReadJSONL(strings.NewReader(`{"kind":"invoke","unit":"order/7f3a","op":"submit","user":"ann"}
{"kind":"effect","unit":"order/7f3a","step":"charge","outcome":"applied","value":49.90}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range h.Len() {
		e := h.Event(i)
		fmt.Printf("%s %v step=%q outcome=%q value=%q\n", h.UnitName(e.Unit), e.Kind, e.Step, e.Outcome, e.Value)
	}
	fmt.Println(strings.Join(h.Warnings, "\n"))
	_, err = history.ReadJSONL(strings.NewReader(`{"kind":"efect"}`))
	fmt.Println(err)
	// Output:
	// order/7f3a invoke step="" outcome="" value=""
	// order/7f3a effect step="charge" outcome="applied" value="49.90"
	// the field "user" is not known and was left out: 1 line, first in line 1
	// line 1, column 9: kind "efect" does not exist; did you mean "effect"?
	//     {"kind":"efect"}
}
