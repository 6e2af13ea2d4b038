package listreply_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/gateway/catalog/listreply"
	"github.com/rclone-gateway/rclone-gateway/internal/redistest"
)

// TestEachReadsWhatTheClientLibraryReads has strings of all sizes around its buffers. It
// fails where the library passes a reply on in another way.
func TestEachReadsWhatTheClientLibraryReads(t *testing.T) {
	s := redistest.Start(t)
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprint(i, " ", strings.Repeat("\r\nx$*", i*i)))
	}
	want = append(want, "")
	for _, text := range want {
		s.Do("SADD", "set", text)
	}
	s.Do("SET", "text", "x")
	for _, protocol := range []int{2, 3} {
		rdb := redis.NewClient(&redis.Options{Addr: s.Addr, Protocol: protocol, Username: redistest.AdminUser, Password: redistest.Password(redistest.AdminUser)})
		t.Cleanup(func() { _ = rdb.Close() })
		var got []string
		if err := listreply.Each(t.Context(), rdb, func(b []byte) { got = append(got, string(b)) }, "SMEMBERS", "set"); err != nil {
			t.Fatal(err)
		}
		if ordinary := rdb.SMembers(t.Context(), "set").Val(); !slices.Equal(got, ordinary) || len(got) != len(want) {
			t.Errorf("RESP%d: %d strings, want %d", protocol, len(got), len(want))
		}
		for what, command := range map[string][]any{
			"an error": {"SMEMBERS", "text"}, "a string": {"GET", "text"}, "a number": {"SCARD", "set"},
			"a list of lists": {"COMMAND", "INFO", "get"}, "nothing": {"GET", "absent"},
		} {
			if err := listreply.Each(t.Context(), rdb, func([]byte) {}, command...); !errors.Is(err, listreply.ErrNoList) {
				t.Errorf("RESP%d: %s: %v", protocol, what, err)
			}
		}
	}
}
