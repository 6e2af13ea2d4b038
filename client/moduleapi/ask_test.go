package moduleapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/host"
)

// TestWhatAGatewayAnswersIsExplained asks gateways that cannot tell a module of itself, an
// older one among them, which takes the path for a repository's.
func TestWhatAGatewayAnswersIsExplained(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		status        int
		body          string
		code          exit.Code
		text          string
		unknown, away bool
	}{
		{"an older gateway", http.StatusForbidden, "403 Forbidden", exit.Forbidden, "older than this gatewayctl", true, false},
		{"another program", http.StatusOK, "<html>", exit.Unreachable, "older than this gatewayctl", true, false},
		{"JSON of another kind", http.StatusOK, "{}", exit.Unreachable, "older than this gatewayctl", true, false},
		{"a wrong password", http.StatusUnauthorized, "", exit.Forbidden, "wrong password", false, false},
		{"no Redis", http.StatusServiceUnavailable, "", exit.Redis, "does not reach Redis", false, true},
		{"too often", http.StatusTooManyRequests, "", exit.Unreachable, "its log says why", false, true},
		{"a proxy without a gateway", http.StatusBadGateway, "", exit.Unreachable, "its log says why", false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}))
			t.Cleanup(server.Close)
			vars := map[string]string{"NS8_GATEWAY_URL": server.URL, "REDIS_USER": "module/app1", "REDIS_PASSWORD": "a-secret", "NS8_AGENT_ENV": "/nonexistent"}
			env := host.NewEnvironment(func(name string) (string, bool) { value, ok := vars[name]; return value, ok })
			_, err := Facts(t.Context(), env)
			if got := exit.Code(exit.CodeOf(context.Background(), err)); got != test.code || !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "a-secret") {
				t.Fatalf("(%d) %v", got, err)
			}
			_, away := errors.AsType[*AwayError](err)
			if IsUnknown(err) != test.unknown || away != test.away {
				t.Errorf("unknown %v, away %v: %v", IsUnknown(err), away, err)
			}
		})
	}
}
