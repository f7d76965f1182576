package containers

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestBasesOfADockerfile(t *testing.T) {
	given := func(text string) *string { return &text }
	for name, tc := range map[string]struct {
		text string
		args map[string]*string
		want []string
		err  string
	}{
		"one":            {"FROM alpine:3.20\nRUN true\n", nil, []string{"alpine:3.20"}, ""},
		"nothing":        {"from scratch\nCOPY shop /shop\n", nil, nil, ""},
		"stages":         {"FROM --platform=linux/amd64 golang:1 AS build\nFROM scratch\nCOPY --from=build /shop /\nCOPY --from=0 /x /\n", nil, []string{"golang:1"}, ""},
		"a stage on one": {"FROM golang:1 AS build\nFROM build\n", nil, []string{"golang:1"}, ""},
		"copied":         {"FROM scratch\nCOPY --chown=1 --from=busybox:1 /bin/sh /sh\nRUN --mount=type=bind,from=tools:2,target=/t /t/run\n", nil, []string{"busybox:1", "tools:2"}, ""},
		"default":        {"ARG V=1.26\nFROM golang:${V}\n", nil, []string{"golang:1.26"}, ""},
		"given":          {"ARG V=1.26\nFROM golang:$V\n", map[string]*string{"V": given("1.25")}, []string{"golang:1.25"}, ""},
		"else":           {"ARG V\nFROM golang:${V:-1.24}\n", nil, []string{"golang:1.24"}, ""},
		"none":           {"ARG BASE\nFROM $BASE\n", nil, nil, "image $BASE: BASE has no value"},
		"too late":       {"FROM scratch\nARG V=1\nFROM golang:$V\n", nil, nil, "V has no value"},
	} {
		images, err := basesOf(tc.text, tc.args)
		assert.Equal(t, tc.want, images, name)
		if tc.err == "" {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorContains(t, err, tc.err, name)
		}
	}
}
