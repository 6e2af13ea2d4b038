package registry

import "github.com/rclone-gateway/rclone-gateway/client/exit"

// ExitStatus is the EXIT STATUS section of the commands that change Redis.
func ExitStatus() map[string]string {
	return exit.Status(exit.OK, exit.Failed, exit.Usage, exit.Full, exit.Forbidden, exit.Redis, exit.NotFound, exit.Conflict, exit.Signal)
}

// About is a part of the help of these commands.
const About = `Redis is at REDIS_ADDRESS (127.0.0.1:6379). This logs in as REDIS_USER with
REDIS_PASSWORD, or what stands in REDIS_PASSWORD_FILE, and without them as user
"default"; whoever that is must be an administrator (+@all).`
