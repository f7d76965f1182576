package broker

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wreckon/wreckon/reference/policy"
)

func (s *Server) keepSweeping(ctx context.Context) {
	for policy.Sleep(ctx, sweepEvery) == nil {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("streams not swept", "error", err)
		}
	}
}

// Sweep removes from every stream what all of its consumers have acknowledged. It is called by itself every few seconds.
func (s *Server) Sweep(ctx context.Context) error {
	return s.inside(func(js jetstream.JetStream) error {
		for _, stream := range s.streams {
			if err := sweep(ctx, js, stream); err != nil {
				return fmt.Errorf("sweep stream %s: %w", stream.Name, err)
			}
		}
		return nil
	})
}

func sweep(ctx context.Context, js jetstream.JetStream, s Stream) error {
	stream, err := js.Stream(ctx, s.Name)
	if err != nil {
		return err
	}
	// The stream is looked at before its consumers: whoever has nothing left to do afterwards has done at least what was there then.
	state := stream.CachedInfo().State
	done := state.LastSeq
	for _, name := range s.Consumers {
		consumer, err := stream.Consumer(ctx, name)
		if err != nil {
			return nil // it has not been there yet, or will be asked again: everything stays
		}
		info := consumer.CachedInfo()
		if info.NumPending > 0 || info.NumAckPending > 0 {
			done = min(done, info.AckFloor.Stream)
		}
	}
	// The last message stays, so that the stream knows its number whatever happens.
	if done <= state.FirstSeq {
		return nil
	}
	return stream.Purge(ctx, jetstream.WithPurgeSequence(done))
}
