package gateway

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// spacePause lies between two rounds of questions for space. An answer serves
	// for spaceExpires; the rounds between find the destinations newly opened.
	spacePause = 15 * time.Second
	// spaceQuestions is how many destinations are asked at once.
	spaceQuestions = 4
	// spaceForgotten is how old an answer may be that the metrics still tell.
	spaceForgotten = 3 * spaceExpires
)

// measureSpace keeps the free space of the destinations that are in use known,
// for the metrics, until ctx ends. None is opened for that, and one that fails
// its backups is not asked.
func (vs *views) measureSpace(ctx context.Context) {
	ticks := time.NewTicker(spacePause)
	defer ticks.Stop()
	for {
		if v := vs.latest.Load(); v != nil {
			vs.askSpace(ctx, v)
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
	}
}

func (vs *views) askSpace(ctx context.Context, v *view) {
	var questions errgroup.Group
	questions.SetLimit(spaceQuestions)
	for _, s := range v.stores {
		if !s.guard.Works() || !s.isOpen() {
			continue
		}
		questions.Go(func() error {
			_, _ = s.space(ctx) // without an answer there is no metric; requests tell why
			return nil
		})
	}
	_ = questions.Wait() // none returns an error
}
