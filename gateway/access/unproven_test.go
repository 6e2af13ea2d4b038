package access

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rclone-gateway/rclone-gateway/gateway/live"
	"github.com/rclone-gateway/rclone-gateway/gateway/refusal"
)

func TestRefusedCredentialsStayRefusedForASecond(t *testing.T) {
	t.Parallel()
	var u unproven
	asked := time.Now()
	if u.lately("module/mail1", asked) {
		t.Error("refused before anybody was asked")
	}
	u.note("module/mail1", asked)
	for _, tt := range []struct {
		user  string
		after time.Duration
		want  bool
	}{
		{"module/mail1", unprovenTime - time.Millisecond, true},
		{"module/mail1", unprovenTime, false},
		{"module/mail2", time.Millisecond, false},
	} {
		if got := u.lately(tt.user, asked.Add(tt.after)); got != tt.want {
			t.Errorf("%s after %v: %v, want %v", tt.user, tt.after, got, tt.want)
		}
	}
}

func TestRefusedCredentialsTakeBoundedMemory(t *testing.T) {
	t.Parallel()
	var u unproven
	start := time.Now()
	for i := range 2 * unprovenMax {
		u.note(strconv.Itoa(i), start)
	}
	if len(u.asked) != unprovenMax {
		t.Errorf("%d are remembered, want %d", len(u.asked), unprovenMax)
	}
	later := start.Add(unprovenTime)
	u.note("later", later)
	if !u.lately("later", later) || len(u.asked) != 1 {
		t.Errorf("%d are remembered, want the last one alone", len(u.asked))
	}
}

func TestWhoIsRefusedAgainWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &Gate{State: new(live.State)}
		gone, leave := context.WithCancel(t.Context())
		leave()
		for ctx, want := range map[context.Context]time.Duration{t.Context(): refusedPause, gone: 0} {
			began := time.Now()
			g.unproven.note("credentials", began)
			_, err := g.Again(ctx, Admission{}, refusal.ErrUnknownUser, "credentials", nil)
			if took := time.Since(began); took != want || !errors.Is(err, refusal.ErrUnknownUser) {
				t.Errorf("refused after %v with %v, want %v", took, err, want)
			}
		}
	})
}
