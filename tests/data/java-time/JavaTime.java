import java.nio.charset.StandardCharsets;
import java.io.PrintStream;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.temporal.ChronoField;
import java.time.temporal.TemporalAccessor;
import java.time.temporal.TemporalQueries;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.Set;

/**
 * Records what java.time makes of patterns and texts: {@code java JavaTime.java [seed] > java-time.tsv}. A line is
 * kind, pattern, text (or number), zone, result; an error has the result "!".
 *
 * <p>Kinds: parse_timestamp (milliseconds; fields that the text lacks are those of 1970-01-01), parse_date (days),
 * parse_time (nanoseconds), format_timestamp, format_date, format_time. Numbers: parse_int, parse_long, parse_double.
 */
public class JavaTime {
  private static final String[] TIMESTAMPS = {
    "yyyy-MM-dd", "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd'T'HH:mm:ss.SSS", "yyyy-MM-dd hh:mm:ss", "yyyy-MM-dd hh:mm:ss a",
    "yyyy-MM-dd KK:mm:ss a", "yyyy-MM-dd kk:mm", "yyyy-MM-dd K:mm", "yyyy-MM-dd'T'HH:mm:ss[.SSS]X", "yyyy-MM-dd'T'HH:mm:ss[.SSSSSS][.SSS]XXX",
    "yyyy-MM-dd['T'HH:mm[:ss]]", "[yyyy-MM-dd][dd.MM.yyyy]", "yyyyMMdd", "yyyyMMddHHmmss", "yyyyMMddHHmmssSSS", "yyyyMMdd'T'HHmmssX",
    "yyyy-MM-dd HH:mm:ss z", "yyyy-MM-dd HH:mm VV", "yyyy-MM-dd HH:mm zzzz", "yyyy-MM-dd HH:mm O", "yyyy-MM-dd HH:mm OOOO",
    "yyyy-MM-dd HH:mm Z", "yyyy-MM-dd HH:mm ZZZZ", "yyyy-MM-dd HH:mm ZZZZZ", "yyyy-MM-dd HH:mm x", "yyyy-MM-dd HH:mm xx", "yyyy-MM-dd HH:mm xxx",
    "yyyy-MM-dd HH:mm xxxx", "yyyy-MM-dd HH:mm xxxxx", "yyyy-MM-dd HH:mm XX", "yyyy-MM-dd HH:mm XXXX", "yyyy-MM-dd HH:mm XXXXX",
    "yyyy-MM-dd HH:mm:ss.SSS[ z]", "yyyy-MM-dd HH:mm[ VV]", "d MMM yyyy", "d MMMM yyyy", "EEE, d MMM yyyy HH:mm:ss Z", "EEEE d/M/yy", "MMM d, yyyy h:mm a",
    "uuuu-MM-dd", "uu-M-d", "y-M-d", "yyy-MM-dd", "yyyyy-MM-dd", "yyyy-D", "yyyy-DDD", "yyyyDDD", "uuuuDDD HH", "yyyy-MM", "yyyy", "MM-dd", "MM/dd/yyyy",
    "HH:mm:ss", "HH:mm", "H", "h a", "a", "ss", "mm:ss", "SSS", "HH:mm:ss.S", "yyyy-MM-dd HH:mm:ss.SSSSSSSSS", "yyyy-MM-dd HH:mm:ss,n", "yyyy-MM-dd A", "yyyy-MM-dd N",
    "yyyy-MM-dd G", "G y M d", "GGGG yyyy", "u-MM-dd G", "yyyy-'Q'Q", "yyyy QQQ", "yyyy-MM-dd Q", "QQQQ yyyy", "YYYY-'W'ww-e", "YYYY-'W'w-EEE", "YYYY-ww", "yyyy-MM-dd ww", "yyyy-MM W E", "yyyy-MM-dd EEE",
    "yyyy-MM-dd e", "c yyyy-MM-dd", "EEE", "yyyy-MM-dd F", "g", "yyyy-MM-dd g", "yyyy''MM''dd", "'at' yyyy-MM-dd 'o''clock'", "yyyy-MM-dd''HH",
    "yyyy-MM-dd'T'HH:mm:ss'Z'", "ppd/MM/yyyy", "yyyy-MM-dd ppH:mm", "pppyyyy", "HHmm", "Hmm", "hmma", "HHmmss", "ddMMyy", "dMyy", "yyMMddHHmm", "LLL d yyyy", "LLLL yyyy dd", "MMMMM d", "EEEEE", "QQQQQ yyyy",
    "cc yyyy", "yyyy-MM-dd HH:mm:ss.SSSSSSSSSS", "YYYYYYYYYYYYYYYYYYYY", "dddd", "bb", "yyyy-MM-dd {HH}", "yyyy#MM", "yyyy-MM-dd]", "yyyy-MM-dd'T", "[[yyyy-]MM-]dd", "VVV", "P", "yyyy.MM.dd.", "", "yyyy-MM-ddHH:mm", "HH:mm:ssX", "yyyy X", "yyyy-MM-dd HH:mm[X][z]", "yyyy-MM-dd HHX", "HH HH", "yyyy-MM-dd kk:mm:ss.SSSX", "yyyy-MM-dd hh", "MMM yyyy", "DDD", "D yyyy", "yyyy/M/d H:m:s", "p", "ppp-yyyy"
  };
  private static final String[] DATES = {
    "yyyy-MM-dd", "dd.MM.yyyy", "d MMM yyyy", "d MMMM uuuu", "EEEE, d. MMMM y", "yyyyMMdd", "yyyy-DDD", "uuuu-MM-dd", "yy/M/d", "YYYY-'W'ww-e", "yyyy-MM-dd G", "yyyy-MM", "yyyy-MM-dd HH", "yyyy-MM-dd[ HH]",
    "g", "QQQ yyyy-MM-dd", "yyyy-MM-dd VV", "yyyy-MM-dd X", "MM/dd", "LLLL d yyyy", "yyyy W E MM", "ppd.ppM.yyyy"
  };
  private static final String[] TIMES = {
    "HH:mm:ss", "HH:mm", "H:m:s.S", "HH:mm:ss.SSS", "hh:mm a", "KK:mm a", "kk:mm", "h:mm", "HHmm", "HHmmssSSS", "N", "A", "HH:mm[:ss[.SSS]]", "a", "mm:ss", "HH:mm X", "yyyy HH", "a h:mm", "HH", "n", "HH:mm:ss.SSSSSS"
  };
  private static final String[] TEXTS = {
    "2022-02-09 13:27:17", "2022-02-09 01:27:17", "2017-12-03T11:59:41Z", "2017-12-03T11:59:41.123Z", "2017-12-03T11:59:41.123+02:00", "2017-12-03T11:59:41.123456-05:30", "2019-02-30", "2019-02-31", "2019-02-32", "2019-04-31", "2020-02-30", "2019-13-01", "2019-00-01",
    "2019-01-00", "24:00", "24:00:00", "24:01", "2019-12-31 24:00", "2019-12-31 24:00:00", "23:59:60", "2019-2-3", "19-02-03", "99-1-1", "+12019-02-03", "12019-02-03", "-2019-02-03", "-0001-01-01", "0000-01-01", "2019-366", "2020-366", "2019-365", "1970366", "366",
    "28 feb 2019", "28 FEB 2019", "28 Feb 2019", "28 February 2019", "30 Feb 2019", "Mon, 9 Feb 2022 13:27:17 +0000", "Wed, 9 Feb 2022 13:27:17 +0100", "12:00 am", "0:00 AM", "12:00 PM", "00:00 a", "13 PM", "12 AM", "1 pm", "PM", "AM", "pm",
    "2022-03-27 02:30 Europe/Berlin", "2022-10-30 02:30 Europe/Berlin", "2022-03-13 02:30 America/New_York", "2022-11-06 01:30 America/New_York", "2022-06-01 12:00 PST", "2022-06-01 12:00 CEST", "2022-06-01 12:00 utc", "2022-06-01 12:00 UTC+2",
    "2022-06-01 12:00 GMT+02:00", "2022-06-01 12:00 GMT+2", "2022-06-01 12:00 GMT", "2022-06-01 12:00 +02:00", "2022-06-01 12:00 +0200", "2022-06-01 12:00 +02", "2022-06-01 12:00 +2", "2022-06-01 12:00 -00:00", "2022-06-01 12:00 +19:00", "2022-06-01 12:00 Z",
    "2022-06-01 12:00 +02:00:30", "2022-06-01 12:00 +020030", "2022-06-01 12:00 europe/berlin", "2022-06-01 12:00 Pacific Standard Time", "2022-06-01 12:00 Central European Time", "2022-06-01 12:00 IST", "2022-06-01 12:00:00 PST", "2022-06-01 12:00 Asia/Tokyo", "2022-06-01 12:00 GMT0", "2022-06-01 12:00 GMT0 ",
    "2022-Q3", "2022 Q3", "Q3 2022", "3rd quarter 2022", "2022-W05-3", "2022-W5-Wed", "2022-W53-1", "2020-W53-7", "2022-53", "2022-02 3 Wed", "2022-02 7 Wed", "2022-02-09 Wed", "2022-02-09 Thu", "2022-02-09 4", "2022-02-09 06", "4 2022-02-09",
    "2022-02-09 AD", "44-02-09 BC", "AD 2022 2 9", "BC 44 3 15", "-44-03-15 BC", "59619", "2022-02-09 59619", "2022'02'09", "at 2022-02-09 o'clock", "2022-02-09T13:27:17Z", " 9/02/2022", "19/02/2022", "2022-02-09  3:07", "2022-02-09 13:07", "1327", "327", "0327PM", "132717", "090222", "9222",
    "2202091327", "20220209132717", "20220209132717123", "20220209132717123456", "120220209", "20190230", "2022-02-09 13:27:17.123456789", "2022-02-09 13:27:17,5", "2022-02-09 48437123", "2022-02-09 48437123456789", "13:27:17.5", "500", "59", "60", "59:59", "", " ", "x", "2022-02-09 ", " 2022-02-09", "2022-02-0٩", "２０２２-02-09",
    "2022-02-09 13:27 GMT+01:00", "10 10", "10 11", "2022 +02:00", "2022 Z", "2022 +02", "Dec 2021", "1/1/1970", "2022-02-09 12", "2022-02-09 00", "Sep 5 2021", "September 2021 05", "J 5", "W", "2147483648-01-01", "9999999999-01-01", "999999999-12-31", "292278994-08-17", "+292278994-08-17", "+292278995-01-01", "2022-02-09 01:00 +01:00 +01:00"
  };
  private static final String[] NUMBERS = {
    "0", "-0", "+0", "7", "-7", "+7", "007", "2147483647", "2147483648", "-2147483648", "-2147483649", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1_000", " 12", "12 ", "", " ", "+", "-", "--1", "1.0", "1e3", "0x10",
    "١٢٣", "१२", "１２３", "-१२", "𝟏𝟐", "²", "Ⅷ", "½", "NaN", "-NaN", "+NaN", "nan", "Infinity", "-Infinity", "+Infinity", "inf", "infinity", "1d", "1f", "1D", "1F", "1.5d", "1L", ".5", "5.", ".", "1e", "1e+", "1e5", "1E-5", "1e400", "-1e400", "1e-400", "0x1p3", "0x1.8p1",
    "0x1.8", "0X1P-2d", "-0x.8p0", "0x1p99999", "0xp1", "\t1.5\n", "\u00a01", "1\u00a0", "1 000", "1,5", "१.५", "1e1_0", "1__0", "0b1", "1e5f", "1.0e5d", "d", "f", "e5", "0.1e-1", "00.10", "-.5", "+.5e1", "9007199254740993", "1.7976931348623159e308", "4.9e-324", "2e-324", "00000000000000000000012"
  };
  private static final String[] ZONES = {"UTC", "Europe/Berlin", "America/New_York", "+05:30", "Asia/Kolkata", "Australia/Lord_Howe", "Z", "GMT+2", "Europe/Dublin"};

  private static PrintStream out;
  private static Random random;

  public static void main(String[] arguments) {
    out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    random = new Random(arguments.length > 0 ? Long.parseLong(arguments[0]) : 1);
    boolean all = arguments.length > 1;
    for (String pattern : TIMESTAMPS) {
      for (String text : texts(pattern, all ? 60 : 14, all)) {
        String zone = ZONES[random.nextInt(4) == 0 ? random.nextInt(ZONES.length) : 0];
        line("parse_timestamp", pattern, text, zone, timestamp(pattern, text, ZoneId.of(zone)));
      }
    }
    for (String pattern : DATES) {
      for (String text : texts(pattern, all ? 60 : 14, all)) {
        line("parse_date", pattern, text, "", date(pattern, text));
      }
    }
    for (String pattern : TIMES) {
      for (String text : texts(pattern, all ? 60 : 14, all)) {
        line("parse_time", pattern, text, "", time(pattern, text));
      }
    }
    Set<String> patterns = new LinkedHashSet<>(List.of(TIMESTAMPS));
    patterns.addAll(List.of("z", "zzzz", "VV", "O", "OOOO", "Z", "ZZZZ", "ZZZZZ", "X", "XX", "XXX", "XXXX", "XXXXX", "x", "xx", "xxx", "xxxx", "xxxxx", "E EEEE EEEEE", "M MM MMM MMMM MMMMM", "L LLL LLLL", "Q QQ QQQ QQQQ QQQQQ", "q qqq qqqq", "e ee eee eeee", "c ccc cccc", "w ww W Y YY YYYY",
        "G GGGG GGGGG", "h H k K", "hh HH kk KK a", "n N A S SS SSSSSS", "D DD DDD F g", "u uu uuu uuuu uuuuu", "y yy yyy yyyy yyyyy", "ppH pppD ppppy", "[yyyy]", "''yyyy''"));
    for (String pattern : patterns) {
      for (int i = 0; i < (all ? 12 : 4); i++) {
        long millis = moment().toInstant().toEpochMilli();
        String zone = ZONES[random.nextInt(ZONES.length)];
        String result;
        try {
          result = DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(Instant.ofEpochMilli(millis).atZone(ZoneId.of(zone)));
        } catch (RuntimeException error) {
          result = "!";
        }
        line("format_timestamp", pattern, Long.toString(millis), zone, result);
      }
    }
    for (String pattern : DATES) {
      long days = moment().toLocalDate().toEpochDay();
      String result;
      try {
        result = DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(LocalDate.ofEpochDay(days));
      } catch (RuntimeException error) {
        result = "!";
      }
      line("format_date", pattern, Long.toString(days), "", result);
    }
    for (String pattern : TIMES) {
      long nanos = moment().toLocalTime().toNanoOfDay() / 1_000_000 * 1_000_000;
      String result;
      try {
        result = DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(LocalTime.ofNanoOfDay(nanos));
      } catch (RuntimeException error) {
        result = "!";
      }
      line("format_time", pattern, Long.toString(nanos), "", result);
    }
    for (String text : NUMBERS) {
      String shown = text.replace("\t", "\\t").replace("\n", "\\n");
      line("parse_int", "", shown, "", number(() -> Integer.toString(Integer.parseInt(text))));
      line("parse_long", "", shown, "", number(() -> Long.toString(Long.parseLong(text))));
      line("parse_double", "", shown, "", number(() -> Double.toString(Double.parseDouble(text))));
    }
    out.flush();
  }

  private static void line(String kind, String pattern, String text, String zone, String result) {
    if (result.equals("?")) {
      return;
    }
    out.print(kind + "\t" + pattern + "\t" + text + "\t" + zone + "\t" + result + "\n");
  }

  private static String number(java.util.function.Supplier<String> read) {
    try {
      return read.get();
    } catch (NumberFormatException error) {
      return "!";
    }
  }

  private static ZonedDateTime moment() {
    int year = random.nextInt(8) == 0 ? random.nextInt(14000) - 2000 : 1950 + random.nextInt(100);
    ZonedDateTime base = ZonedDateTime.of(year, 1, 1, 0, 0, 0, 0, ZoneId.of(ZONES[random.nextInt(ZONES.length)]));
    long within = random.nextInt(6) == 0 ? 0 : (long) (random.nextDouble() * 366 * 86400);
    return base.plusSeconds(within).plusNanos(random.nextBoolean() ? random.nextInt(1_000_000_000) : 0);
  }

  /** Texts for a pattern: what it writes, that with a change, and some of those above. */
  private static Set<String> texts(String pattern, int count, boolean all) {
    Set<String> texts = new LinkedHashSet<>();
    for (int i = 0; i < count; i++) {
      try {
        String text = DateTimeFormatter.ofPattern(pattern, random.nextBoolean() ? Locale.ROOT : Locale.ENGLISH).format(moment());
        if (random.nextInt(3) == 0 && !text.isEmpty()) {
          StringBuilder changed = new StringBuilder(text);
          int at = random.nextInt(text.length());
          switch (random.nextInt(4)) {
            case 0 -> changed.deleteCharAt(at);
            case 1 -> changed.insert(at, (char) ('0' + random.nextInt(10)));
            case 2 -> changed.setCharAt(at, "0123456789-+ :.".charAt(random.nextInt(15)));
            default -> changed = new StringBuilder(random.nextBoolean() ? text.toUpperCase(Locale.ROOT) : text.toLowerCase(Locale.ROOT));
          }
          text = changed.toString();
        }
        texts.add(text);
      } catch (RuntimeException error) {
        texts.add("2022-02-09");
      }
    }
    List<String> fitting = new ArrayList<>();
    for (String text : TEXTS) {
      if (all || !timestamp(pattern, text, ZoneId.of("UTC")).equals("!")) {
        fitting.add(text);
      } else if (random.nextInt(30) == 0) {
        fitting.add(text);
      }
    }
    texts.addAll(fitting);
    texts.removeIf(text -> text.contains("\t"));
    return texts;
  }

  private static String timestamp(String pattern, String text, ZoneId zone) {
    String result = timestamp(pattern, text, zone, Locale.ROOT);
    return result.equals("!") ? timestamp(pattern, text, zone, Locale.ENGLISH) : result;
  }

  private static String timestamp(String pattern, String text, ZoneId zone, Locale locale) {
    try {
      TemporalAccessor parsed =
          new DateTimeFormatterBuilder().parseCaseInsensitive().appendPattern(pattern).toFormatter(locale).parse(text);
      ZoneId own = parsed.query(TemporalQueries.zone());
      if (own != null && own.getId().startsWith("SystemV/")) {
        return "?"; // zones that only some JVMs have
      }
      ZonedDateTime result = ZonedDateTime.of(1970, 1, 1, 0, 0, 0, 0, own == null ? zone : own);
      for (ChronoField one : ChronoField.values()) {
        if (parsed.isSupported(one)) {
          long value = parsed.getLong(one);
          if (one == ChronoField.DAY_OF_YEAR && value == 366) {
            if (!parsed.isSupported(ChronoField.YEAR)) {
              return "!";
            }
            result = result.withYear(parsed.get(ChronoField.YEAR));
          }
          result = result.with(one, value);
        }
      }
      return Long.toString(result.toInstant().toEpochMilli());
    } catch (RuntimeException error) {
      return "!";
    }
  }

  private static String date(String pattern, String text) {
    try {
      TemporalAccessor parsed =
          new DateTimeFormatterBuilder().parseCaseInsensitive().appendPattern(pattern).toFormatter(Locale.ENGLISH).parse(text);
      for (ChronoField one : ChronoField.values()) {
        if (one.isTimeBased() && parsed.isSupported(one)) {
          return "!";
        }
      }
      return Long.toString(LocalDate.from(parsed).toEpochDay());
    } catch (RuntimeException error) {
      return "!";
    }
  }

  private static String time(String pattern, String text) {
    try {
      TemporalAccessor parsed = DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).parse(text);
      for (ChronoField one : ChronoField.values()) {
        if (one.isDateBased() && parsed.isSupported(one)) {
          return "!";
        }
      }
      return Long.toString(LocalTime.from(parsed).toNanoOfDay());
    } catch (RuntimeException error) {
      return "!";
    }
  }
}
