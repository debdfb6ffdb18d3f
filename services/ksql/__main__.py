from services.ksql.server import main

main()
