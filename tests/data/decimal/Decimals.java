import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Random;

/** Writes what BigDecimal answers, as lines of tab-separated fields: kind, arguments, answer ("!" for an ArithmeticException). */
public class Decimals {
    interface Answer { Object of(); }

    static void line(String kind, String arguments, Answer answer) {
        String text;
        try {
            text = String.valueOf(answer.of());
        } catch (ArithmeticException | NumberFormatException e) {
            text = "!";
        }
        System.out.println(kind + "\t" + arguments + "\t" + text);
    }

    static BigDecimal number(Random random, int precision, int scale) {
        StringBuilder digits = new StringBuilder();
        for (int i = 0; i < 1 + random.nextInt(precision); i++) digits.append(random.nextInt(10));
        BigDecimal value = new BigDecimal(new java.math.BigInteger(digits.toString()), scale);
        return random.nextBoolean() ? value : value.negate();
    }

    public static void main(String[] args) {
        Random random = new Random(19);
        String[] operations = {"+", "-", "*", "/", "%"};
        for (int i = 0; i < 400; i++) {
            int p1 = 1 + random.nextInt(12), s1 = random.nextInt(p1 + 1), p2 = 1 + random.nextInt(12), s2 = random.nextInt(p2 + 1);
            BigDecimal a = number(random, p1, s1), b = i % 40 == 0 ? new BigDecimal(java.math.BigInteger.ZERO, s2) : number(random, p2, s2);
            String op = operations[i % 5];
            int scale, precision;
            switch (op) {
                case "*": precision = p1 + p2 + 1; scale = s1 + s2; break;
                case "/": scale = Math.max(6, s1 + p2 + 1); precision = p1 - s1 + s2 + scale; break;
                case "%": scale = Math.max(s1, s2); precision = Math.min(p1 - s1, p2 - s2) + scale; break;
                default: scale = Math.max(s1, s2); precision = Math.max(p1 - s1, p2 - s2) + scale + 1;
            }
            MathContext exact = new MathContext(precision, RoundingMode.UNNECESSARY);
            final int wanted = scale;
            line("arithmetic", op + "\t" + a.toPlainString() + "\t" + b.toPlainString() + "\t" + precision + "\t" + scale, () -> {
                switch (op) {
                    case "+": return a.add(b, exact).setScale(wanted).toPlainString();
                    case "-": return a.subtract(b, exact).setScale(wanted).toPlainString();
                    case "*": return a.multiply(b, exact).setScale(wanted).toPlainString();
                    case "/": return a.divide(b, exact).setScale(wanted).toPlainString();
                    default: return a.remainder(b, exact).setScale(wanted).toPlainString();
                }
            });
        }
        for (int i = 0; i < 200; i++) {
            int p = 1 + random.nextInt(15), s = random.nextInt(p + 1), places = random.nextInt(p + 1);
            BigDecimal value = number(random, p, s);
            line("half_up", value.toPlainString() + "\t" + places, () -> value.setScale(places, RoundingMode.HALF_UP).toPlainString());
            line("int", value.toPlainString(), value::intValue);
            line("long", value.toPlainString(), value::longValue);
            line("double", value.toPlainString(), value::doubleValue);
            line("text", value.toPlainString(), value::toString);
        }
        String[] texts = {"1", "-0", "0.0", "00.10", "1e3", "1.5E-3", "+7.", ".5", "", " 1", "1 ", "x", "1e", "--1", "0x1", "1_0", "Infinity", "NaN"};
        for (String text : texts) line("parse", text, () -> new BigDecimal(text).toString());
    }
}
