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
	state := stream.CachedInfo().State
	done := state.LastSeq
	for _, name := range s.Consumers {
		consumer, err := stream.Consumer(ctx, name)
		if err != nil {
			return nil // it has not been there yet, or will be asked again: everything stays
		}
		done = min(done, finished(consumer.CachedInfo()))
	}
	// The last message stays, so that the stream knows its number whatever happens.
	if done <= state.FirstSeq {
		return nil
	}
	return stream.Purge(ctx, jetstream.WithPurgeSequence(done))
}

// finished is up to where a consumer needs the stream no more. How many messages are still pending for it does not say so: the server
// tells consumers of a new message a while after it has stored it, and until then they have nothing to do.
func finished(info *jetstream.ConsumerInfo) uint64 {
	if info.NumAckPending > 0 {
		return info.AckFloor.Stream
	}
	return info.Delivered.Stream
}
