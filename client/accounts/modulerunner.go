package accounts

import (
	"fmt"
	"path/filepath"

	"github.com/rclone-gateway/rclone-gateway/client/exit"
	"github.com/rclone-gateway/rclone-gateway/client/runner"
)

// checkRunner refuses options that do not say how to run the module.
func (o *moduleOptions) checkRunner(envFile string) error {
	words, err := runner.SplitWords(o.runWith)
	switch {
	case err != nil:
		return exit.Failf(exit.Usage, "--run-with: %w", err)
	case o.runAs != "" && len(words) == 0 && envFile == "":
		return exit.Failf(exit.Usage, "--run-as needs --env-file: schedules run the module with that file")
	}
	return nil
}

// writeRunner writes how schedules run the module on this node, if an environment file or a
// command is known.
func (a *accounts) writeRunner(opts moduleOptions, envFile string) error {
	words, err := runner.SplitWords(opts.runWith)
	if err != nil {
		return err
	}
	r := runner.Runner{User: opts.runAs, Command: words}
	if len(words) == 0 {
		if envFile == "" || opts.dir == "" {
			return nil
		}
		if r.EnvFile, err = filepath.Abs(envFile); err != nil {
			return fmt.Errorf("--env-file: %w", err)
		}
	}
	dir := runner.DirOf(a.Sys.Env)
	err = dir.Write(opts.id, r)
	if err == nil {
		_, err = dir.Read(opts.id)
	}
	if err != nil && (opts.runAs != "" || opts.runWith != "") {
		return err
	}
	if err != nil {
		a.Sys.Warnf("schedules cannot run module %s on this node: %v", opts.id, err)
	}
	return nil
}
