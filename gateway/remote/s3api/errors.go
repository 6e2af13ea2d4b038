package s3api

import (
	"errors"
	"net/http"
	"strings"

	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// IsTaken reports whether a storage refused to replace an object.
func IsTaken(err error) bool { return HasStatus(err, http.StatusPreconditionFailed) }

// HasStatus reports whether a storage answered with an HTTP status.
func HasStatus(err error, status int) bool {
	response, ok := errors.AsType[*smithyhttp.ResponseError](err)
	return ok && response.HTTPStatusCode() == status
}

// RefusesCondition reports whether a storage does not know such uploads.
func RefusesCondition(err error) bool {
	return HasStatus(err, http.StatusNotImplemented) ||
		HasStatus(err, http.StatusBadRequest) && strings.Contains(strings.ToLower(err.Error()), "if-none-match")
}
