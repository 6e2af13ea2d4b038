package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rclone-gateway/rclone-gateway/client/account"
	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/gatehttp"
	"github.com/rclone-gateway/rclone-gateway/client/host"
	"github.com/rclone-gateway/rclone-gateway/gateway/catalog"
	"github.com/rclone-gateway/rclone-gateway/internal/envfile"
	"github.com/rclone-gateway/rclone-gateway/internal/pairing"
)

// anchorTimeout bounds the check of the gateway's certificate.
const anchorTimeout = 10 * time.Second

// offer is a new pairing code.
type offer struct {
	Module  string    `json:"module"`
	Code    string    `json:"code"`
	Expires time.Time `json:"expires"`
	// Command is the command line for the other host.
	Command string `json:"command"`
}

// runModulePair creates the module's user, or replaces its password, and makes a pairing
// code through which the other host gets that password.
func (a *accounts) runModulePair(ctx context.Context, opts moduleOptions, asJSON bool) error {
	if !a.Version.ReadOnlyKeys() {
		return exit.Failf(exit.Redis, "pairing codes need Redis 7, where the gateway's user may take them out, and this is %s: use --host-file", a.Version)
	}
	if err := resolveModule(ctx, a.Redis, &opts); err != nil {
		return err
	}
	if err := a.settleModule(ctx, &opts, earlierEnv{}); err != nil {
		return err
	}
	if err := checkRestoreFrom(ctx, a.Redis, opts); err != nil {
		return err
	}
	command, err := a.joinCommand(ctx, &opts)
	if err != nil {
		return err
	}
	password := host.NewPassword()
	settings, err := a.settings(opts, password)
	if err != nil {
		return err
	}
	code := pairing.New()
	record, err := json.Marshal(pairing.Record{Module: opts.id, Sealed: code.Seal([]byte(envfile.Format(settings.Lines())))})
	if err != nil {
		return err
	}
	if err := a.dropCodes(ctx, opts.id); err != nil {
		return err
	}
	if err := a.saveModule(ctx, opts, password, true); err != nil {
		return err
	}
	// The old password ends, and the gateways learn the new one, before the code exists.
	if err := errors.Join(a.Announce(ctx), a.CutOff(ctx, account.ModuleUser(opts.id))); err != nil {
		return err
	}
	key := catalog.PairingKey(opts.node, pairing.Name(code.Ticket()))
	expires := time.Now().Add(opts.host.pairFor).Truncate(time.Second)
	if err := a.Redis.Set(ctx, key, record, opts.host.pairFor).Err(); err != nil {
		return a.Failed("keep the pairing code", err)
	}
	made := offer{Module: opts.id, Code: code.Text(), Expires: expires, Command: command}
	if asJSON {
		return a.Sys.PrintJSON(made)
	}
	made.tell(a.Sys)
	return nil
}

func (o *offer) tell(sys *host.System) {
	sys.Notef("until %s this code gives the host of module %s its password, the gateway's address and what vouches for it, once:", o.Expires.Format(time.RFC1123), o.Module)
	fmt.Fprintln(sys.Stdout, o.Code)
	sys.Notef("on that host, as root, run this, and type the code when it is asked for:\n  %s", o.Command)
}

// joinCommand returns the command line for the other host. If a private CA signed the
// gateway's certificate, the command pins that CA, so this host must reach the gateway too.
func (a *accounts) joinCommand(ctx context.Context, opts *moduleOptions) (string, error) {
	words := "gatewayctl module join " + opts.dirFlag()
	if opts.host.allowHTTP && opts.host.address.Scheme == "http" {
		words += "--allow-http "
	}
	files := a.Sys.Env.GatewayFiles()
	if opts.host.address.Scheme == "https" && len(files.CACerts) > 0 {
		ctx, cancel := context.WithTimeout(ctx, anchorTimeout)
		defer cancel()
		pin, err := gatehttp.Anchor(ctx, files, opts.host.address)
		if err != nil {
			return "", exit.Failf(exit.Failed, "the gateway's certificate cannot be looked at: %w%s; a pairing code needs that, where the CA of RESTIC_CACERT vouches for it: start the gateway, or use --host-file", err, inBrackets(files.Advice(err)))
		}
		words += "--ca-sha256 " + pin.String() + " "
	}
	return words + opts.host.address.String(), nil
}

func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

// dropCodes deletes the unused codes of a module.
func (a *accounts) dropCodes(ctx context.Context, id string) error {
	codes, err := a.pendingCodes(ctx)
	if err != nil || len(codes[id]) == 0 {
		return err
	}
	keys := make([]string, len(codes[id]))
	for i, c := range codes[id] {
		keys[i] = c.key
	}
	return a.Failed("end the earlier pairing code of module "+id, a.Redis.Del(ctx, keys...).Err())
}

// pendingCode is an unused code that has not expired.
type pendingCode struct {
	key   string
	until time.Time
}

// pendingCodes returns the pending codes of all modules, by module ID.
func (a *accounts) pendingCodes(ctx context.Context) (map[string][]pendingCode, error) {
	keys, err := a.Scan(ctx, catalog.PairingKey("*", "*"))
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	slices.Sort(keys)
	pipe := a.Redis.Pipeline()
	records, lives := make([]*redis.StringCmd, len(keys)), make([]*redis.DurationCmd, len(keys))
	for i, key := range keys {
		records[i], lives[i] = pipe.Get(ctx, key), pipe.PTTL(ctx, key)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, a.Failed("read the pairing codes", err)
	}
	codes := map[string][]pendingCode{}
	for i, key := range keys {
		var record pairing.Record
		if json.Unmarshal([]byte(records[i].Val()), &record) != nil || lives[i].Val() <= 0 {
			continue // used or expired meanwhile
		}
		codes[record.Module] = append(codes[record.Module], pendingCode{key, time.Now().Add(lives[i].Val())})
	}
	return codes, nil
}

// words describes where a module runs, for a table.
func (m *shownModule) words() string {
	var words []string
	if m.Elsewhere {
		words = append(words, "another")
	}
	if m.CodeUntil != nil {
		words = append(words, "code until "+m.CodeUntil.Format(time.DateTime))
	}
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, ", ")
}
