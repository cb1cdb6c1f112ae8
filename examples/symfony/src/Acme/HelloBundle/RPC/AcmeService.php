<?php

namespace Acme\HelloBundle\RPC;

use Ratchet\ConnectionInterface as Conn;

class AcmeService
{
    /** `sample/add_func` */
    public function addFunc(Conn $conn, $params)
    {
        return ['result' => array_sum($params)];
    }
}
