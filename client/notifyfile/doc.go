// Package notifyfile reads notify.conf: over which channels a node tells people how its
// backups are, when, and how the hooks of runs are to be taken.
//
// The file is the administrator's: nothing in it comes from Redis, and secrets are in files
// that it names. It has sections in brackets and lines KEY = VALUE. A section with a mistake
// is left out, and the mistake named: the other channels work.
package notifyfile
