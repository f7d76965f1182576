package history

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
)

// The fields of an event in the text form, in the order in which they are written. history/schema.json says what they mean.
const (
	fieldSeq = iota
	fieldT
	fieldKind
	fieldOutcome
	fieldUnit
	fieldOp
	fieldStep
	fieldComponent
	fieldActor
	fieldAttempt
	fieldKey
	fieldToken
	fieldValue
	fieldTrace
	fieldAt
	numFields
)

var fieldNames = [numFields]string{
	"seq", "t", "kind", "outcome", "unit", "op", "step", "component", "actor", "attempt", "key", "token", "value", "trace", "at",
}

const byteOrderMark = "\uFEFF"

// textHeader is the first line of the text form: the header, and what else is true of the history as a whole.
type textHeader struct {
	Version int `json:"wreckon_history"`
	Header
	Format   int      `json:"format,omitempty"` // said by Version
	Sealed   bool     `json:"sealed"`
	Lost     string   `json:"lost,omitempty"`
	Events   *int     `json:"events"` // how many lines follow; a pointer to tell none from not said
	Foreign  bool     `json:"foreign_units,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// WriteJSONL writes the text form: a line with the header, then one line for each event, as ReadJSONL reads it back.
func (h *History) WriteJSONL(w io.Writer) error {
	n := h.Len()
	head, err := json.Marshal(textHeader{
		Version: FormatVersion, Header: h.Header, Sealed: h.Sealed, Lost: h.Lost, Events: &n, Foreign: h.UnitNames != nil, Warnings: h.Warnings,
	})
	if err != nil {
		return fmt.Errorf("write history: encode header: %w", err)
	}
	out := bufio.NewWriterSize(w, 1<<16)
	line := append(head, '\n')
	for i := range n + 1 {
		if _, err := out.Write(line); err != nil {
			return fmt.Errorf("write history: %w", err)
		}
		if i < n {
			line = append(h.AppendJSON(line[:0], i), '\n')
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return nil
}

// AppendJSON appends event i as a line of the text form, without a newline. Fields that are zero are left out, but for seq and t.
func (h *History) AppendJSON(dst []byte, i int) []byte {
	dst = append(dst, `{"seq":`...)
	dst = strconv.AppendInt(dst, int64(i), 10)
	dst = append(dst, `,"t":`...)
	dst = strconv.AppendInt(dst, h.T[i], 10)
	dst = appendText(dst, fieldKind, h.Kind[i].String())
	dst = appendText(dst, fieldOutcome, h.Outcome[i].String())
	dst = h.appendUnit(dst, h.Unit[i])
	dst = appendText(dst, fieldOp, h.Strings[h.Op[i]])
	dst = appendText(dst, fieldStep, h.Strings[h.Step[i]])
	dst = appendText(dst, fieldComponent, h.Strings[h.Comp[i]])
	dst = appendNumber(dst, fieldActor, uint64(h.Actor[i]))
	dst = appendNumber(dst, fieldAttempt, uint64(h.Attempt[i]))
	dst = appendText(dst, fieldKey, h.Strings[h.Key[i]])
	dst = appendNumber(dst, fieldToken, h.Token[i])
	dst = appendText(dst, fieldValue, h.Strings[h.Value[i]])
	dst = appendText(dst, fieldTrace, h.Strings[h.Trace[i]])
	if h.At[i] != 0 {
		dst = appendName(dst, fieldAt)
		dst = strconv.AppendInt(dst, h.At[i], 10)
	}
	return append(dst, '}')
}

// appendUnit writes what UnitName says, without a string of its own for each event.
func (h *History) appendUnit(dst []byte, u Unit) []byte {
	if u == NoUnit {
		return dst
	}
	dst = appendName(dst, fieldUnit)
	if int(u) < len(h.UnitNames) {
		return appendQuoted(dst, h.UnitNames[u])
	}
	dst = appendQuoted(dst, h.Header.Claims.Prefix)
	dst = strconv.AppendUint(dst[:len(dst)-1], uint64(u)+1, 10)
	return append(dst, '"')
}

func appendName(dst []byte, field int) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, fieldNames[field]...)
	return append(dst, '"', ':')
}

func appendText(dst []byte, field int, s string) []byte {
	if s == "" {
		return dst
	}
	return appendQuoted(appendName(dst, field), s)
}

func appendNumber(dst []byte, field int, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return strconv.AppendUint(appendName(dst, field), v, 10)
}

// appendQuoted writes a JSON string. It escapes what JSON demands and nothing else, so that a line is never longer than the one it
// was read from, and people can grep for what they see.
func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}
