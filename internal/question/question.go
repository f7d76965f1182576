// Package question knows what anyone may ask a server, whoever it is, to see whether it answers: an edge that is cut does not, nor does a
// process that is held. It must never know why somebody asks.
package question

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/wreckon/wreckon/targets"
)

// Question is what is asked on a connection: at least pad bytes, or as many as the other side takes. asked is how many were answered.
type Question struct {
	Ask    func(c net.Conn, pad int) (asked int, err error)
	Padded bool // it can be padded
}

// questions are what anyone may ask, by protocol. Of other protocols no question is known.
var questions = map[targets.Protocol]Question{
	targets.HTTP:     {askHTTP, true},
	targets.NATS:     {askNATS, true},
	targets.Postgres: {askPostgres, true},
	targets.RESP:     {askRESP, true},
	targets.AMQP:     {askAMQP, false},
}

// Of is the question of a protocol. Where none is known it only sees that a connection is made and stays, which a held process shows too.
func Of(p targets.Protocol) Question {
	if q, ok := questions[p]; ok {
		return q
	}
	return Question{Ask: askTCP}
}

// tcpLinger is how long a bare TCP connection must stay open to count as answered.
const tcpLinger = 20 * time.Millisecond

// askHTTP takes any answer: who answers 404 is there. The padding is header lines, which a server reads before it answers.
func askHTTP(c net.Conn, pad int) (asked int, err error) {
	const line = 4096
	var b bytes.Buffer
	b.WriteString("GET /.well-known/probe HTTP/1.1\r\nHost: probe\r\nUser-Agent: wreckon-probe\r\nConnection: close\r\n")
	for i := 0; b.Len() < pad; i++ {
		fmt.Fprintf(&b, "X-Pad-%d: %s\r\n", i, strings.Repeat("x", min(line, pad-b.Len())))
	}
	b.WriteString("\r\n")
	return b.Len(), tell(c, b.Bytes(), 1)
}

// tell sends bytes and waits until so many have come back.
func tell(c net.Conn, b []byte, answer int) error {
	if _, err := c.Write(b); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, answer))
	return err
}

// askNATS pings, and pads with more pings. It does not wait for the server's INFO, so that a request is sent even where no
// response comes through.
func askNATS(c net.Conn, pad int) (asked int, err error) {
	return askPings(c, pad, `CONNECT {"verbose":false,"pedantic":false,"name":"probe"}`+"\r\n", "PONG", "-ERR")
}

// askRESP pings likewise. A server that wants credentials says so in place of the pong.
func askRESP(c net.Conn, pad int) (asked int, err error) { return askPings(c, pad, "", "+PONG", "-") }

// askPings sends as many pings as pad takes and reads as many pongs, or one refusal.
func askPings(c net.Conn, pad int, hello, pong, refusal string) (asked int, err error) {
	const ping = "PING\r\n"
	pings := 1 + pad/len(ping)
	hello += strings.Repeat(ping, pings)
	written := make(chan error, 1) // while pongs are read: a server that cannot write stops reading
	go func() {
		_, err := io.WriteString(c, hello)
		written <- err
	}()
	err = readPongs(c, pings, pong, refusal)
	_ = c.SetDeadline(time.Unix(1, 0)) // ends the writer
	// The kernel tells of a reset once, to the reader or to the writer; the other sees an ordinary end.
	if writeErr := <-written; err != nil && !errors.Is(writeErr, os.ErrDeadlineExceeded) {
		err = errors.Join(err, writeErr)
	}
	return len(hello), err
}

func readPongs(c net.Conn, pings int, pong, refusal string) error {
	r := bufio.NewReader(c)
	for pongs := 0; pongs < pings; {
		line, err := r.ReadString('\n')
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(line, pong):
			pongs++
		case strings.HasPrefix(line, refusal):
			return nil // it wants credentials, say: an answer all the same
		}
	}
	return nil
}

// askPostgres asks whether the server speaks TLS, which it tells anyone in one byte, and leaves. To be padded it says hello instead, in
// a version of the protocol that there never was: a server reads such a packet to its end, and refuses it before it asks who is there.
func askPostgres(c net.Conn, pad int) (asked int, err error) {
	const (
		wantTLS = 80877103
		most    = 10_000 // what a server takes for a first packet
	)
	size, code := 8, uint32(wantTLS)
	if pad > size {
		size, code = min(pad, most), 1<<16
	}
	b := make([]byte, size)
	binary.BigEndian.PutUint32(b, uint32(size))
	binary.BigEndian.PutUint32(b[4:], code)
	return size, tell(c, b, 1)
}

// askAMQP greets, and waits for the server's first method. A greeting takes no padding, and is answered by far more than it is.
func askAMQP(c net.Conn, _ int) (asked int, err error) {
	hello := []byte("AMQP\x00\x00\x09\x01")
	return len(hello), tell(c, hello, 12) // the head of a frame, Connection, Start
}

// askTCP can only see that the connection is made and stays.
func askTCP(c net.Conn, _ int) (asked int, err error) {
	var b [1]byte
	if err := c.SetReadDeadline(time.Now().Add(tcpLinger)); err != nil {
		return 0, err
	}
	_, err = c.Read(b[:])
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		err = nil
	}
	return 0, err
}
