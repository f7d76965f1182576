package wire

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func amqpFrameOf(kind byte, channel uint16, payload string) string {
	b := binary.BigEndian.AppendUint16([]byte{kind}, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return string(b) + payload + string([]byte{amqpEnd})
}

// amqpMethodOf is a method of a channel; its arguments are short texts, or bytes as they are.
func amqpMethodOf(channel uint16, method uint32, arguments ...any) string {
	b := binary.BigEndian.AppendUint32(nil, method)
	for _, a := range arguments {
		switch a := a.(type) {
		case string:
			b = append(append(b, byte(len(a))), a...)
		case int: // a short integer
			b = binary.BigEndian.AppendUint16(b, uint16(a))
		case uint64:
			b = binary.BigEndian.AppendUint64(b, a)
		case byte:
			b = append(b, a)
		}
	}
	return amqpFrameOf(amqpMethod, channel, string(b))
}

func amqpHead(channel uint16, size int) string {
	return amqpFrameOf(amqpContent, channel, "\x00\x3c\x00\x00"+string(binary.BigEndian.AppendUint64(nil, uint64(size)))+"\x00\x00")
}

// amqpPublishing is what publishes so many bytes, in frames of at most 100,000.
func amqpPublishing(channel uint16, exchange, key string, size int) string {
	s := amqpMethodOf(channel, amqpPublish, 0, exchange, key, byte(0)) + amqpHead(channel, size)
	for ; size > 0; size -= min(size, 100_000) {
		s += amqpFrameOf(amqpBody, channel, strings.Repeat("b", min(size, 100_000)))
	}
	return s
}

func amqpDelivering(channel uint16, consumer string, tag uint64, key string) string {
	return amqpMethodOf(channel, amqpDeliver, consumer, tag, byte(0), "amq.topic", key) + amqpHead(channel, 3) + amqpFrameOf(amqpBody, channel, "abc")
}

var (
	amqpHeartbeating = amqpFrameOf(amqpHeartbeat, 0, "")
	amqpHello        = []fed{
		{Up, []byte("AMQP\x00\x00\x09\x01")}, {Down, []byte(amqpMethodOf(0, 10<<16|10))}, {Up, []byte(amqpMethodOf(0, 10<<16|11))},
		{Down, []byte(amqpMethodOf(0, 10<<16|41))},
	}
)

func amqpTalk(lines ...string) []fed {
	talk := append([]fed(nil), amqpHello...)
	for _, l := range lines {
		way := Up
		if l[0] == '<' {
			way = Down
		}
		talk = append(talk, fed{way, []byte(l[1:])})
	}
	return talk
}

func TestAMQPExchanges(t *testing.T) {
	confirm := ">" + amqpMethodOf(1, amqpConfirm, byte(1)) // quietly
	asked := `1 asks "confirm.select" of nobody`
	ack := func(tag uint64, multiple byte) string { return amqpMethodOf(1, amqpAck, tag, multiple) }
	consume := ">" + amqpMethodOf(1, amqpConsume, 0, "jobs", "me", byte(8))
	consumed := `1 asks "basic.consume" of nobody`
	for _, c := range []struct {
		name     string
		talk     []fed
		up, down []string
	}{{
		"unconfirmed", amqpTalk(">"+amqpPublishing(1, "e", "order.17", 5)+amqpHeartbeating, "<"+amqpHeartbeating),
		[]string{`1 asks "PUBLISH e/order.*" of nobody`}, nil,
	}, {
		"confirmed", amqpTalk(confirm, ">"+amqpPublishing(1, "", "q", 0)+amqpPublishing(1, "", "q", 1), "<"+ack(2, 0)+amqpMethodOf(1, amqpNack, uint64(1), byte(0))),
		[]string{asked, `2 asks "PUBLISH /q" as 1`, `3 asks "PUBLISH /q" as 2`}, []string{"3 is answered", "2 is refused", "2 is answered"},
	}, {
		"many at once", amqpTalk(confirm, ">"+strings.Repeat(amqpPublishing(1, "", "q", 3), 4), "<"+ack(2, 0)+ack(3, 1)+ack(0, 1)+ack(9, 0)),
		[]string{asked, `2 asks "PUBLISH /q" as 1`, `3 asks "PUBLISH /q" as 2`, `4 asks "PUBLISH /q" as 3`, `5 asks "PUBLISH /q" as 4`},
		[]string{"3 is answered", "4 is answered, and [2]", "5 is answered"},
	}, {
		"interleaved", amqpTalk(">" + amqpMethodOf(1, amqpPublish, 0, "e", "one", byte(0)) + amqpMethodOf(2, amqpPublish, 0, "e", "two", byte(0)) + amqpHead(1, 3) +
			amqpHead(2, 0) + amqpHeartbeating + amqpFrameOf(amqpBody, 1, "abc")),
		[]string{`1 asks "PUBLISH e/one" of nobody`, `2 asks "PUBLISH e/two" of nobody`}, nil,
	}, {
		"returned", amqpTalk(confirm, ">"+amqpPublishing(1, "", "q", 3), "<"+amqpMethodOf(1, amqpReturn, 312, "no route", "", "q")+amqpHead(1, 3)+
			amqpFrameOf(amqpBody, 1, "abc")+ack(1, 0)),
		[]string{asked, `2 asks "PUBLISH /q" as 1`}, []string{"2 is answered"},
	}, {
		"delivered", amqpTalk(consume, "<"+amqpDelivering(1, "me", 1, "a.b")+amqpDelivering(1, "me", 2, "a.b")+amqpDelivering(1, "other", 3, "a.b")+
			amqpDelivering(1, "me", 4, "a"), ">"+amqpMethodOf(1, amqpReject, uint64(2), byte(1))+amqpMethodOf(1, amqpNack, uint64(3), byte(1))+ack(4, 0)),
		[]string{consumed, "3 is refused", "3 is answered", "4 is refused", "4 is answered, and [2]", "5 is answered"},
		[]string{`2 asks "DELIVER jobs/a.b"`, `3 asks "DELIVER jobs/a.b"`, `4 asks "DELIVER amq.topic/a.b"`, `5 asks "DELIVER jobs/a"`},
	}, {
		"delivered again", amqpTalk(consume, "<"+amqpDelivering(1, "me", 1, "a"), ">"+amqpMethodOf(1, amqpRecover, byte(1)),
			"<"+amqpMethodOf(1, amqpRecover+1)+amqpDelivering(1, "me", 2, "a"), ">"+ack(2, 0)),
		[]string{consumed, `3 asks "basic.recover"`, "4 is answered"}, []string{`2 asks "DELIVER jobs/a"`, "3 is answered", `4 asks "DELIVER jobs/a"`},
	}, {
		"without acks", amqpTalk(">"+amqpMethodOf(1, amqpConsume, 0, "jobs", "", byte(2)), "<"+amqpMethodOf(1, amqpConsumeOK, "made up")+
			amqpDelivering(1, "made up", 1, "a")),
		[]string{`1 asks "basic.consume"`}, []string{"1 is answered", `2 asks "DELIVER jobs/a" of nobody`},
	}, {
		"got", amqpTalk(">"+amqpMethodOf(1, amqpGet, 0, "jobs", byte(0))+amqpMethodOf(1, amqpGet, 0, "jobs", byte(1))+amqpMethodOf(1, amqpGet, 0, "jobs", byte(1)),
			"<"+amqpMethodOf(1, amqpGetOK, uint64(7), byte(0), "e", "k")+amqpHead(1, 0)+amqpMethodOf(1, amqpGetOK, uint64(8), byte(0), "e", "k")+amqpHead(1, 2)+
				amqpFrameOf(amqpBody, 1, "ab")+amqpMethodOf(1, amqpGetEmpty), ">"+ack(7, 0)),
		[]string{`1 asks "basic.get"`, `2 asks "basic.get"`, "3 is answered"}, []string{`3 asks "DELIVER jobs/k"`, "1 is answered", "2 is answered"},
	}, {
		"calls", amqpTalk(">"+amqpMethodOf(1, amqpChannelOpen, "")+amqpMethodOf(1, 50<<16|10, 0, "q", byte(0))+amqpMethodOf(1, 50<<16|10, 0, "q", byte(16))+
			amqpMethodOf(1, amqpExchangeUnbind, 0, "a", "b", "", byte(0))+amqpMethodOf(1, 90<<16|20),
			"<"+amqpMethodOf(1, amqpChannelOpen+1)+amqpMethodOf(1, 50<<16|11)+amqpMethodOf(1, amqpExchangeUnbindOK)+amqpMethodOf(1, 90<<16|21)),
		[]string{`1 asks "channel.open"`, `2 asks "queue.declare"`, `3 asks "queue.declare" of nobody`, `4 asks "exchange.unbind"`, `5 asks "tx.commit"`},
		[]string{"1 is answered", "2 is answered", "4 is answered", "5 is answered"},
	}, {
		"closed by the broker, and opened anew", amqpTalk(confirm, ">"+amqpPublishing(1, "", "q", 0)+amqpMethodOf(1, 50<<16|10, 0, "q", byte(0)),
			"<"+amqpMethodOf(1, amqpChannelClose, 404), ">"+amqpMethodOf(1, amqpChannelCloseOK)+amqpPublishing(1, "", "q", 0)),
		[]string{asked, `2 asks "PUBLISH /q" as 1`, `3 asks "queue.declare"`, `4 asks "PUBLISH /q" of nobody`}, []string{"3 is refused", "3 is answered"},
	}} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, [2][]string{c.up, c.down}, sameHoweverCut(t, AMQP, c.talk))
		})
	}
}

func TestAMQPParts(t *testing.T) {
	one := amqpMethodOf(1, amqpPublish, 0, "e", "one", byte(0))
	rest := amqpHead(1, 3) + amqpFrameOf(amqpBody, 1, "abc")
	two := amqpPublishing(2, "e", "two", 0)
	all, _ := decodedWhole(t, AMQP, amqpTalk(">"+one+two+rest), func(n int) int { return n })
	up := all[Up][len(all[Up])-4:]
	require.Equal(t, one, string(up[0].Bytes))
	require.Equal(t, two, string(up[1].Bytes))
	require.Equal(t, Message{Bytes: []byte(amqpHead(1, 3)), Exchange: 1}, up[2], "what is left of the first is plain, and says whose it is")
	require.EqualValues(t, 1, up[3].Exchange)

	for _, piece := range []int{1 << 30, 32 << 10, 1000, 7} {
		large := amqpTalk(">"+amqpMethodOf(1, amqpConfirm, byte(1))+amqpPublishing(1, "e", "large", 700_000)+amqpMethodOf(1, amqpPublish, 0, "e", "one frame", byte(0))+
			amqpHead(1, 3*whole)+amqpFrameOf(amqpBody, 1, strings.Repeat("b", 3*whole))+two, "<"+amqpMethodOf(1, amqpAck, uint64(2), byte(1)))
		all, why := decodedWhole(t, AMQP, large, func(n int) int { return min(n, piece) })
		require.Empty(t, why)
		require.Equal(t, []string{`1 asks "confirm.select" of nobody`, `2 asks "PUBLISH e/large" as 1`, `3 asks "PUBLISH e/one frame" as 2`,
			`4 asks "PUBLISH e/two" of nobody`}, summary(all[Up]))
		require.Equal(t, []string{"3 is answered, and [2]"}, summary(all[Down]))
	}
}

func TestAMQPOpaque(t *testing.T) {
	for why, talk := range map[string][]fed{
		"TLS": {{Up, []byte("\x16\x03\x01hello")}, {Down, []byte("\x16\x03\x01")}},
		`not AMQP 0-9-1: it begins with "AMQP\x00\x01\x00\x00"`: {{Up, []byte("AMQP\x00\x01\x00\x00")}, {Down, []byte("AMQP\x00\x01\x00\x00")}},
		"not AMQP 0-9-1: it begins with 0x47":                   {{Up, []byte("GET / HTTP/1.1\r\n")}},
		"not AMQP 0-9-1: a frame of type 0x09":                  amqpTalk(">\x09rest", "<rest"),
		"not AMQP 0-9-1: a frame without its end":               amqpTalk(">" + strings.TrimSuffix(amqpHeartbeating, "\xce") + "x"),
		"not AMQP 0-9-1: more than 131072 exchanges without an answer": amqpTalk(">" + amqpMethodOf(1, amqpConfirm, byte(1)) +
			strings.Repeat(amqpPublishing(1, "", "q", 0), amqpPending+1)),
	} {
		for _, piece := range []int{1 << 30, 5} {
			_, got := decodedWhole(t, AMQP, talk, func(n int) int { return min(n, piece) })
			require.Equal(t, why, got)
		}
	}
	all, why := decodedWhole(t, AMQP, []fed{{Up, []byte("AMQP\x00\x00\x09\x01")}, {Down, []byte("AMQP\x00\x00\x08\x00")}}, func(n int) int { return n })
	require.Empty(t, why, "a broker that speaks another version says so")
	require.Len(t, all[Down], 1)
}

func TestAMQPRefusal(t *testing.T) {
	all, _ := decodedWhole(t, AMQP, amqpTalk(">"+amqpMethodOf(3, amqpConfirm, byte(1))+amqpPublishing(3, "", "q", 5)+amqpPublishing(4, "", "q", 5)),
		func(n int) int { return n })
	up := all[Up]
	b, err := AMQP.Refuse(up[len(up)-2])
	require.NoError(t, err)
	require.Equal(t, amqpMethodOf(3, amqpNack, uint64(1), byte(0)), string(b))
	_, err = AMQP.Refuse(up[len(up)-1])
	require.Error(t, err, "nobody waits for an answer")
	require.Nil(t, AMQP.Repeat)
}

func TestAMQPNames(t *testing.T) {
	for address, want := range map[[2]string]string{
		{"", "jobs"}:                           "/jobs",
		{"e", "order.17.created"}:              "e/order.*.created",
		{"e", "order.o-17"}:                    "e/order.o-*",
		{"amq.gen-JzTY20BRgKO-HjmUJj0wLg", ""}: "amq.gen-*/",
		{"e", "job.0192f6a0-7c1e-7cc3-98c4-dc0c0c07398f.done"}: "e/job.*.done",
		{"e", "facade.decade"}:                                 "e/facade.decade",
		{"e", "a\nb"}:                                          "e/a?b",
	} {
		require.Equal(t, want, amqpAddress(address[0], address[1]))
	}
}

// A message that is never acked does not make the others that come after it pile up.
func TestAMQPTagsOneStuck(t *testing.T) {
	var tags amqpTagged
	for tag := uint64(1); tag < 10_000; tag++ {
		require.True(t, tags.add(tag, tag))
		if tag > 1 {
			require.Equal(t, []uint64{tag}, tags.settle(tag, false))
			require.Empty(t, tags.settle(tag, false), "once")
		}
		require.LessOrEqual(t, len(tags.all), 3)
	}
	require.False(t, tags.add(1, 1), "tags grow")
	require.Equal(t, []uint64{1}, tags.settle(0, true))
	require.Empty(t, tags.all)
}

func FuzzAMQP(f *testing.F) {
	for i, talk := range [][]fed{
		amqpTalk(">"+amqpMethodOf(1, amqpConfirm, byte(1))+amqpPublishing(1, "", "q", 3)+amqpPublishing(2, "", "q", 3), "<"+amqpMethodOf(1, amqpAck, uint64(1), byte(1))),
		amqpTalk(">"+amqpMethodOf(1, amqpGet, 0, "jobs", byte(1))+amqpMethodOf(1, amqpConsume, 0, "jobs", "", byte(0)),
			"<"+amqpMethodOf(1, amqpGetOK, uint64(7), byte(0), "e", "k")+amqpHead(1, 2)+amqpFrameOf(amqpBody, 1, "ab")+amqpDelivering(1, "me", 1, "a.b")),
	} {
		var all [2][]byte
		for _, l := range talk {
			all[l.way] = append(all[l.way], l.bytes...)
		}
		f.Add(uint64(i), all[Up], all[Down])
	}
	f.Fuzz(func(t *testing.T, seed uint64, up, down []byte) { fuzzed(t, AMQP, seed, up, down) })
}

func BenchmarkAMQP(b *testing.B) {
	const at = 100 // once
	consume := fed{Up, []byte(amqpMethodOf(2, amqpConsume, 0, "jobs", "me", byte(8)) + amqpMethodOf(3, amqpConsume, 0, "jobs", "quiet", byte(8|2)))}
	for _, size := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("%d publishes of %d bytes", at, size), func(b *testing.B) {
			round := fed{Up, []byte(strings.Repeat(amqpPublishing(1, "orders", "order.created", size), at))}
			benchDecoder(b, AMQP, amqpHello, []fed{round})
		})
	}
	b.Run(fmt.Sprintf("%d deliveries", at), func(b *testing.B) {
		round := fed{Down, []byte(strings.Repeat(amqpDelivering(3, "quiet", 1, "order.created"), at))}
		benchDecoder(b, AMQP, append(amqpHello, consume), []fed{round})
	})
}
