// Package lister lists the directories of an rclone remote: as one list where the backend
// can, else as many at once as its server has connections for. It knows neither stores nor
// what the names mean.
package lister
