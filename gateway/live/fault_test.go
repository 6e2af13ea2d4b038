package live

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestRecoveryFromAHangIsNotPutOff(t *testing.T) {
	t.Parallel()
	src := &source{}
	inBubble(t, src, func(t *testing.T, vs *views, _ *counted, hints chan<- struct{}) {
		src.takes.Store(int64(time.Hour))
		time.Sleep(10 * refreshInterval) // of the bubble
		if vs.Ready() {
			t.Fatal("ready while Redis hangs")
		}
		src.takes.Store(0)
		// Whoever asks for news must not make them come later.
		for range 3 {
			select {
			case hints <- struct{}{}:
			default:
			}
			time.Sleep(time.Second) // of the bubble
		}
		time.Sleep(loadTimeout) // of the bubble: a load may have been under way
		synctest.Wait()
		if !vs.Ready() {
			t.Error("not ready after Redis came back")
		}
	})
}
