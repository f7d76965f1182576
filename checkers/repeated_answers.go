package checkers

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/wreckon/wreckon/history"
)

var idempotentAnswers = Guarantee{
	Name:    "idempotent-answers",
	Promise: "A request that is repeated under its key gets the answer that it got before, and a key stands for one request.",
	Finds: "Two submits under one key that were both ok, with answers that differ in text or version; JSON that says the same is the " +
		"same. Two submits under one key that were both ok, although their payloads or their units differ: the second should have been " +
		"turned down. Keys are one name space for all clients; a submit without a key is known by its unit. An attempt that failed, or " +
		"that nobody knows of, is compared with nothing, and neither is an answer or a payload that was not recorded.",
	Check: checkAnswers,
}

func checkAnswers(c *Case) Judgement {
	const name = "idempotent-answers"
	first := make([]uint32, len(c.H.Strings)+len(c.units)) // of each key, or unit without one: one more than its first operation that was ok
	again := make(map[int]bool)
	told := make(map[int]bool)
	var suspects []suspect
	for k := range c.ops {
		o := c.ops[k]
		if c.H.Op[o.call] != c.submit || o.ret == none || c.H.Kind[o.ret] != history.KindOK {
			continue
		}
		number := c.keyOf(o.call)
		if number < 0 {
			continue
		}
		if first[number] == 0 {
			first[number] = uint32(k) + 1
			continue
		}
		again[number] = true
		before := c.ops[first[number]-1]
		if told[number] || !c.unlikeRequests(before, o) && !c.unlikeAnswers(before, o) {
			continue
		}
		told[number] = true
		suspects = append(suspects, c.unlike(before, o))
	}
	return c.judgement(name, "keys that were answered more than once", len(again), suspects)
}

// keyOf numbers what a submit is known by; -1 where it has neither key nor unit.
func (c *Case) keyOf(call uint32) int {
	if k := c.H.Key[call]; k != 0 {
		return int(k)
	}
	if u := c.col[call]; u != history.NoUnit {
		return len(c.H.Strings) + int(u)
	}
	return -1
}

// unlikeRequests tells of two requests that differ, as far as they were recorded.
func (c *Case) unlikeRequests(a, b operation) bool {
	if u, v := c.col[a.call], c.col[b.call]; u != v && u != history.NoUnit && v != history.NoUnit {
		return true
	}
	return unlikeText(c.str(c.H.Value[a.call]), c.str(c.H.Value[b.call]))
}

// unlikeAnswers tells of two answers that differ, as far as they were recorded.
func (c *Case) unlikeAnswers(a, b operation) bool {
	if v, w := c.H.Token[a.ret], c.H.Token[b.ret]; v != w && v != 0 && w != 0 {
		return true
	}
	return unlikeText(c.str(c.H.Value[a.ret]), c.str(c.H.Value[b.ret]))
}

// unlikeText tells of two texts that say different things. JSON objects may be written in any order.
func unlikeText(a, b string) bool {
	if a == b || a == "" || b == "" {
		return false
	}
	if !strings.HasPrefix(a, "{") || !strings.HasPrefix(b, "{") {
		return true
	}
	x, ok := object(a)
	y, also := object(b)
	return !ok || !also || !reflect.DeepEqual(x, y)
}

// object reads JSON with its numbers as they are written.
func object(text string) (value any, ok bool) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return value, d.Decode(&value) == nil && !d.More()
}

func (c *Case) unlike(a, b operation) suspect {
	s := suspect{unit: c.unitOf(b.call), events: []uint32{a.call, a.ret, b.call, b.ret}, notes: map[uint32]string{b.ret: "another answer"}}
	if !c.unlikeRequests(a, b) {
		s.say = func() string {
			return fmt.Sprintf("%s was answered %s at %s, and %s at %s, %s", c.requested(b), c.answerText(a), when(c.at(a.ret)),
				c.answerText(b), when(c.at(b.ret)), c.sameKey(b))
		}
		return s
	}
	s.notes = map[uint32]string{b.ret: "accepted for another request"}
	s.say = func() string {
		again := "again"
		if c.col[a.call] != c.col[b.call] {
			again = c.requested(b)
		}
		return fmt.Sprintf("%s was accepted%s at %s, and %s%s at %s, %s", c.requested(a), c.payload(a), when(c.at(a.ret)), again, c.payload(b),
			when(c.at(b.ret)), c.sameKey(b))
	}
	return s
}

func (c *Case) requested(o operation) string {
	if u := c.col[o.call]; u != history.NoUnit {
		return c.name(int(u))
	}
	return "a request"
}

func (c *Case) answerText(o operation) string {
	text := clip(c.str(c.H.Value[o.ret]), 120)
	if v := c.H.Token[o.ret]; v > 0 {
		text += fmt.Sprintf(" (version %d)", v)
	}
	return text
}

func (c *Case) payload(o operation) string {
	if p := c.str(c.H.Value[o.call]); p != "" {
		return " with " + clip(p, 120)
	}
	return ""
}

func (c *Case) sameKey(o operation) string {
	if k := c.H.Key[o.call]; k != 0 {
		return "under the same key " + clip(c.str(k), 80)
	}
	return "both times without a key"
}
