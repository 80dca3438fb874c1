package cards

import (
	"math"
	"strconv"
	"time"
)

// A Transaction is one card payment as the bank's systems send it. NaN is a value that is not known.
//
// What stands between the blank lines below are the features, in training order. A card or a terminal has a
// number, so that there is nothing personal to protect in a show.
type Transaction struct {
	Number   uint64 // 1, 2, 3 … of this generator; the id is made of it
	Time     int64  // Unix milliseconds
	Card     int    // a token, never a card number
	Merchant int
	Terminal int

	Amount           float64 // euros, two decimals
	Country          string  // of the merchant
	Channel          string  // pos, contactless, ecommerce, atm
	MCC              string  // merchant category code
	CardType         string  // debit, credit, prepaid
	CustomerAge      float64 // years
	DistanceKm       float64 // from the customer's home to the terminal; NaN on the web
	CrossBorder      bool    // the merchant is not in the customer's country
	Hour             int     // on the customer's clock
	TxCount24h       int     // payments with this card in the 24 hours before
	AmountToMean7d   float64 // amount over the mean of the card's last seven days
	MinutesSinceLast float64 // since the card's last payment, within seven days
	TerminalRisk     float64 // share of the terminal's payments that were disputed

	Pattern Pattern // the truth; never part of the event
}

// Fraud tells whether the payment was a fraud.
func (t *Transaction) Fraud() bool { return t.Pattern != Honest }

// AppendID appends the transaction's id: t-00000042. Ids count up, so a person can see at a glance what is
// early and what is late.
func (t *Transaction) AppendID(dst []byte) []byte {
	return appendPadded(append(dst, "t-"...), t.Number, 8)
}

// AppendCard appends the card's token, which is the key of the record: card-00042.
func (t *Transaction) AppendCard(dst []byte) []byte {
	return appendPadded(append(dst, "card-"...), uint64(t.Card), 5)
}

// MerchantCategory names the merchant category for people: "groceries".
func (t *Transaction) MerchantCategory() string {
	for i := range categories {
		if categories[i].mcc == t.MCC {
			return categories[i].name
		}
	}
	return t.MCC
}

// AppendJSON appends the event, one JSON object without a line end. An unknown age is null, as one system upstream
// sends it; any other unknown value is left out, as another does.
func (t *Transaction) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"transaction_id":"`...)
	dst = t.AppendID(dst)
	dst = append(dst, `","event_time":"`...)
	dst = t.appendTime(dst)
	dst = append(dst, `","card":"`...)
	dst = t.AppendCard(dst)
	dst = append(dst, `","merchant":"`...)
	dst = appendPadded(append(dst, "m-"...), uint64(t.Merchant), 4)
	dst = append(dst, `","terminal":"`...)
	dst = appendPadded(append(dst, "pos-"...), uint64(t.Terminal), 4)
	dst = append(dst, `","currency":"EUR","amount":`...)
	dst = strconv.AppendFloat(dst, t.Amount, 'f', 2, 64)
	dst = append(append(append(dst, `,"country":"`...), t.Country...), '"')
	dst = append(append(append(dst, `,"channel":"`...), t.Channel...), '"')
	dst = append(append(append(dst, `,"mcc":"`...), t.MCC...), '"')
	dst = append(append(append(dst, `,"card_type":"`...), t.CardType...), '"')
	dst = append(dst, `,"customer_age":`...)
	if math.IsNaN(t.CustomerAge) {
		dst = append(dst, "null"...)
	} else {
		dst = strconv.AppendFloat(dst, t.CustomerAge, 'f', -1, 64)
	}
	dst = appendKnown(dst, `,"distance_km":`, t.DistanceKm)
	dst = strconv.AppendBool(append(dst, `,"cross_border":`...), t.CrossBorder)
	dst = strconv.AppendInt(append(dst, `,"hour":`...), int64(t.Hour), 10)
	dst = strconv.AppendInt(append(dst, `,"tx_count_24h":`...), int64(t.TxCount24h), 10)
	dst = appendKnown(dst, `,"amount_to_mean_7d":`, t.AmountToMean7d)
	dst = appendKnown(dst, `,"minutes_since_last":`, t.MinutesSinceLast)
	dst = appendKnown(dst, `,"terminal_risk":`, t.TerminalRisk)
	return append(dst, '}')
}

// appendTime appends the time in UTC, to the millisecond.
func (t *Transaction) appendTime(dst []byte) []byte {
	return time.UnixMilli(t.Time).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z07:00")
}

// appendKnown appends name and number, or nothing where the number is not known.
func appendKnown(dst []byte, name string, x float64) []byte {
	if math.IsNaN(x) {
		return dst
	}
	return strconv.AppendFloat(append(dst, name...), x, 'f', -1, 64)
}

// appendPadded appends n with at least width digits.
func appendPadded(dst []byte, n uint64, width int) []byte {
	for limit := uint64(10); width > 1; width-- {
		if n < limit {
			for range width - 1 {
				dst = append(dst, '0')
			}
			break
		}
		limit *= 10
	}
	return strconv.AppendUint(dst, n, 10)
}
