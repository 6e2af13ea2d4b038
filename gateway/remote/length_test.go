package remote

import (
	"io"
	"net/http"
	"testing"
)

func TestAnswerWithoutLengthIsNoEmptyObject(t *testing.T) {
	t.Parallel()
	server := newS3Server(t)
	s := server.open(t)
	mustPut(t, s, pack, "content")
	server.spoilWith(func(w http.ResponseWriter, _ *http.Request) bool {
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, "content")
		return true
	})
	body, size, err := s.Open(t.Context(), pack, 0, -1)
	if err == nil {
		body.Close()
		t.Errorf("Open = an object of %d bytes; want an error", size)
	}
}
