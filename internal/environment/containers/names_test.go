package containers

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestOneImageStandsInForAnother(t *testing.T) {
	o := Options{Images: map[string]string{"POSTGRES": "wreckon/postgres:15", "KAFKA_UI": "mine"}}
	for asked, want := range map[string]string{
		"postgres":                       "wreckon/postgres:15",
		"postgres:15.14-bookworm":        "wreckon/postgres:15",
		"docker.io/library/postgres:16":  "wreckon/postgres:15",
		"localhost:5000/team/postgres":   "wreckon/postgres:15",
		"postgres@sha256:" + someDigest:  "wreckon/postgres:15",
		"team/kafka-ui:1":                "mine",
		"postgres-exporter":              "postgres-exporter",
		"nats:2":                         "nats:2",
		"No Image":                       "No Image", // the engine says what is wrong with it
		"wreckon/postgres:15":            "wreckon/postgres:15",
		"registry.example/postgres/nats": "registry.example/postgres/nats",
	} {
		assert.Equal(t, want, o.image(asked), asked)
	}
	assert.Equal(t, "postgres", Options{}.image("postgres"))
}

func TestEnginesThatAreNotFit(t *testing.T) {
	assert.NoError(t, unfit([]string{"name=apparmor", "name=seccomp,profile=default", "name=cgroupns"}))
	assert.ErrorContains(t, unfit([]string{"name=seccomp,profile=default", "name=rootless"}), "it is rootless")
	assert.ErrorContains(t, unfit([]string{"name=userns"}), "userns-remap")
}

const someDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
