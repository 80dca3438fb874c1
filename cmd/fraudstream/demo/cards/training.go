package cards

import (
	"bufio"
	"io"
	"math"
	"strconv"
)

// Header names the columns of [WriteTraining]: the label, when the payment happened, then the features in training order.
const Header = "is_fraud,event_time,amount,country,channel,mcc,card_type,customer_age,distance_km,cross_border,hour," +
	"tx_count_24h,amount_to_mean_7d,minutes_since_last,terminal_risk"

// WriteTraining writes the first n payments of a seed as CSV with their labels, in order of time and drawn as live
// traffic is: no fraud is added and none left out. An unknown value is an empty cell.
func WriteTraining(w io.Writer, seed int64, n int) error {
	out := bufio.NewWriterSize(w, 1<<16)
	out.WriteString(Header + "\n") //nolint:errcheck // Flush tells
	g := New(seed)
	var row []byte
	for range n {
		t := g.Next()
		row = t.appendRow(row[:0])
		out.Write(row) //nolint:errcheck // Flush tells
	}
	return out.Flush()
}

// appendRow appends the label, the time and the features as one line of CSV, the numbers with the same digits as AppendJSON: a
// model should be trained on the very values that it will see.
func (t *Transaction) appendRow(dst []byte) []byte {
	label := byte('0')
	if t.Fraud() {
		label = '1'
	}
	dst = append(dst, label, ',')
	dst = append(t.appendTime(dst), ',')
	dst = strconv.AppendFloat(dst, t.Amount, 'f', 2, 64)
	for _, text := range [...]string{t.Country, t.Channel, t.MCC, t.CardType} {
		dst = append(append(dst, ','), text...)
	}
	dst = appendCell(dst, t.CustomerAge)
	dst = appendCell(dst, t.DistanceKm)
	dst = strconv.AppendBool(append(dst, ','), t.CrossBorder)
	dst = appendCell(dst, float64(t.Hour))
	dst = appendCell(dst, float64(t.TxCount24h))
	dst = appendCell(dst, t.AmountToMean7d)
	dst = appendCell(dst, t.MinutesSinceLast)
	dst = appendCell(dst, t.TerminalRisk)
	return append(dst, '\n')
}

// appendCell appends a comma and a number, and nothing behind the comma where the number is not known.
func appendCell(dst []byte, x float64) []byte {
	dst = append(dst, ',')
	if math.IsNaN(x) {
		return dst
	}
	return strconv.AppendFloat(dst, x, 'f', -1, 64)
}
