package wire

// What an answer changes on the connection, and the commands that are answered once for each channel.
const (
	respOrdinary uint8 = iota
	respHello
	respReset
	respSubscribe
	respSharded = respSubscribe + 4
)

var respSubscribing = map[string]uint8{
	"SUBSCRIBE": respSubscribe, "UNSUBSCRIBE": respSubscribe + 1,
	"PSUBSCRIBE": respSubscribe + 2, "PUNSUBSCRIBE": respSubscribe + 3,
	"SSUBSCRIBE": respSharded, "SUNSUBSCRIBE": respSharded + 1,
}

// respMessages says of how many parts a message of a channel consists.
var respMessages = map[string]int{"MESSAGE": 3, "PMESSAGE": 4, "SMESSAGE": 3}

// respAny is how many answers come to a command of which only the server knows.
const respAny = -1

// respAsk is a command that awaits its answers.
type respAsk struct {
	exchange uint64
	left     int32 // answers to come, or respAny
	kind     uint8
	begun    bool // of respAny: an answer has come
}

// respQueue holds the commands that await their answers, in order.
type respQueue struct {
	asks []respAsk
	from int
}

func (q *respQueue) len() int       { return len(q.asks) - q.from }
func (q *respQueue) head() *respAsk { return &q.asks[q.from] }

func (q *respQueue) push(a respAsk) {
	if q.from > 64 && q.from*2 > len(q.asks) {
		q.asks, q.from = q.asks[:copy(q.asks, q.asks[q.from:])], 0
	}
	q.asks = append(q.asks, a)
}

func (q *respQueue) pop() respAsk {
	a := q.asks[q.from]
	if q.from++; q.from == len(q.asks) {
		q.asks, q.from = q.asks[:0], 0
		if cap(q.asks) > 1<<12 {
			q.asks = nil
		}
	}
	return a
}
