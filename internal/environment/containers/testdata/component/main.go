// Command component is what the containers of these tests run: an HTTP server that does what it is asked to.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/wreckon/wreckon/internal/environment/hunger"
	"github.com/wreckon/wreckon/internal/environment/lent"
)

func main() {
	fmt.Println("hello from", os.Args[1])
	if os.Args[1] == "failing" {
		fmt.Fprintln(os.Stderr, "cannot go on")
		os.Exit(3)
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	switch os.Args[1] {
	case "exists":
		if _, err := os.Stat(os.Args[2]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	case "job":
		if err := os.WriteFile(os.Args[2], []byte("done"), 0o644); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	if os.Args[1] == "hold" {
		if len(os.Args) > 2 {
			if err := lent.Lend(os.Args[2], os.Args[3:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
		<-term
		return
	}
	if os.Args[1] == "eat" {
		fmt.Fprintln(os.Stderr, hunger.Eat())
		os.Exit(1)
	}
	http.HandleFunc("/ready", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/dial", func(w http.ResponseWriter, r *http.Request) {
		c, err := net.DialTimeout("tcp", r.FormValue("addr"), 300*time.Millisecond)
		if err != nil {
			fmt.Fprint(w, err)
			return
		}
		defer c.Close()
		said, err := io.ReadAll(c)
		fmt.Fprint(w, string(said), err)
	})
	http.HandleFunc("/write", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, os.WriteFile(r.FormValue("file"), []byte("written"), 0o644))
	})
	http.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) {
		b, err := os.ReadFile(r.FormValue("file"))
		fmt.Fprint(w, string(b), err)
	})
	http.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) {
		at, err := os.Getwd()
		fmt.Fprint(w, os.Getuid(), os.Getgid(), " ", at, err)
	})
	http.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Environ()) })
	http.HandleFunc("/die", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.FormValue("code"))
		os.Exit(code)
	})
	var mu sync.Mutex
	var eaten [][]byte
	http.HandleFunc("/eat", func(w http.ResponseWriter, r *http.Request) { // so many megabytes, or for ever
		most, _ := strconv.Atoi(r.FormValue("mb"))
		mu.Lock()
		defer mu.Unlock()
		for n := 0; most == 0 || n < most; n++ {
			eaten = append(eaten, bytes.Repeat([]byte("x"), 1<<20))
		}
	})
	go func() { fmt.Println(http.ListenAndServe(os.Args[2], nil)) }()
	<-term
	if os.Args[1] == "stubborn" {
		select {}
	}
	fmt.Println("drained")
}
